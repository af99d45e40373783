import { describe, expect, test } from 'vitest';
import { withTestApi } from './support.ts';

const api = withTestApi();
interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly unknown[];
  readonly responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, object>;
    readonly securitySchemes: object;
  };
}
const load = async () => (await api().send('GET /openapi.json')).body as unknown as Document;

describe('the OpenAPI document', () => {
  test('is 3.1 and has a bearer scheme', async () => {
    const document = await load();
    expect(document.openapi).toBe('3.1.0');
    expect(document.components.securitySchemes).toMatchObject({ bearer: { type: 'http' } });
  });

  test('gives every route a summary, a tag, an answer and the form of its errors', async () => {
    const { paths } = await load();
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: `${method} ${path}`,
        operation,
      })),
    );
    expect(operations.length).toBeGreaterThan(45);
    for (const { name, operation } of operations) {
      const statuses = Object.keys(operation.responses);
      expect([name, operation.summary]).toEqual([name, expect.stringMatching(/^[A-Z].*[^.]$/)]);
      expect([name, operation.tags?.length]).toEqual([name, 1]);
      expect([name, statuses.some((status) => status.startsWith('2'))]).toEqual([name, true]);
      const problem = operation.responses['500']?.content?.['application/problem+json'];
      expect([name, problem?.schema]).toEqual([name, { $ref: '#/components/schemas/Problem' }]);
    }
  });

  test('names no schema that it does not hold', async () => {
    const document = await load();
    const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)];
    for (const [, name = ''] of names)
      expect(Object.keys(document.components.schemas)).toContain(name);
  });

  test('says what every property means', async () => {
    const { components } = await load();
    const silent = Object.entries(components.schemas).flatMap(([name, schema]) =>
      Object.entries((schema as { properties?: Record<string, object> }).properties ?? {})
        .filter(([, property]) => !/"description"|"\$ref"/.test(JSON.stringify(property)))
        .map(([property]) => `${name}.${property}`),
    );
    expect(silent).toEqual([]);
  });
});

describe('the page to browse it', () => {
  test('loads only from here, with no script of its own inside', async () => {
    const page = await api().send('GET /docs');
    expect(page.headers.get('Content-Type')).toContain('text/html');
    expect(page.text).not.toMatch(/https?:\/\/|<script>|onload/);
    expect(page.headers.get('Content-Security-Policy')).toContain("script-src 'self'");
    for (const [, path = ''] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const asset = await api().send(`GET ${path}`);
      expect([path, asset.status]).toEqual([path, 200]);
      expect(asset.text.length).toBeGreaterThan(50);
    }
  });

  test.each(['package.json', '..%2F..%2Fpackage.json', 'index.html'])(
    'does not serve %s',
    async (file) => {
      expect((await api().send(`GET /docs/assets/${file}`)).status).toBe(404);
    },
  );
});
