import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { ERROR_CODES, ERRORS } from '../../api/errors.ts';
import { createDatabase } from '../../db/client.ts';
import { createSend, withTestApi } from './support.ts';

const api = withTestApi();
const WRONG_KEY = `gw_00000000_${'x'.repeat(43)}`;

describe('every problem has one form', () => {
  test.each([
    ['no key', 'GET /v1/me', undefined, 401, 'unauthorized'],
    ['a wrong key', 'GET /v1/me', WRONG_KEY, 401, 'unauthorized'],
    ['what is no key', 'GET /v1/me', 'hello', 401, 'unauthorized'],
    ['an unknown path', 'GET /nothing', undefined, 404, 'not-found'],
    ['an unknown path under /v1 without a key', 'GET /v1/nothing', undefined, 401, 'unauthorized'],
  ])('for %s', async (_, route, key, status, code) => {
    const answer = await api().send(route, key === undefined ? {} : { key });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json');
    expect(answer.body).toEqual({
      type: `urn:groundswell:problem:${code}`,
      title: ERRORS[code as keyof typeof ERRORS].title,
      status,
      code,
      detail: expect.any(String),
      requestId: answer.headers.get('X-Request-Id'),
    });
  });

  test('401 says how to authenticate', async () => {
    const answer = await api().send('GET /v1/me');
    expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Bearer /);
  });

  test('the caller may name the request', async () => {
    const answer = await api().send('GET /v1/me', { headers: { 'X-Request-Id': 'mine-1' } });
    expect(answer.body['requestId']).toBe('mine-1');
  });

  test('every code has a status and a title', () => {
    expect(Object.keys(ERRORS).toSorted()).toEqual([...ERROR_CODES].toSorted());
  });
});

describe('a body that cannot be read', () => {
  const json = { 'Content-Type': 'application/json' };
  test.each([
    ['not JSON', { raw: '{"name":', headers: json }, 400, 'malformed-json'],
    [
      'another media type',
      { raw: 'name=x', headers: { 'Content-Type': 'text/plain' } },
      415,
      'unsupported-media-type',
    ],
    [
      'more than a megabyte',
      { raw: `{"name":"${'x'.repeat(1_000_001)}"}`, headers: json },
      413,
      'too-large',
    ],
    ['none at all', {}, 400, 'invalid-request'],
    ['a NUL', { body: { name: 'a\0b' } }, 400, 'invalid-request'],
    ['half a surrogate pair', { raw: '{"name":"\\ud800"}', headers: json }, 400, 'invalid-request'],
  ])('%s', async (_, options, status, code) => {
    const answer = await api().send('POST /v1/contact-lists', { key: api().a.write, ...options });
    expect([answer.status, answer.body['code']]).toEqual([status, code]);
  });

  test('names every field at fault', async () => {
    const answer = await api().send('POST /v1/campaigns', {
      key: api().a.write,
      body: { name: '', listId: 'x', textingHours: { start: '25:00' } },
    });
    const fields = (answer.body['errors'] as unknown as { field: string }[]).map(
      ({ field }) => field,
    );
    expect(answer.status).toBe(400);
    expect(fields).toEqual(
      expect.arrayContaining(['name', 'listId', 'scriptVersionId', 'poolId', 'textingHours.start']),
    );
  });
});

describe('what goes wrong on our side', () => {
  test('an unknown error is a fixed text, its cause is in the log', async () => {
    const { deps, log, a } = api();
    const broken = { ...deps.apiDatabase, prisma: {} } as typeof deps.apiDatabase;
    const send = createSend(createApp({ ...deps, apiDatabase: broken }));
    const answer = await send('GET /v1/contact-lists', { key: a.read });
    expect([answer.status, answer.body['code']]).toEqual([500, 'internal']);
    expect(answer.text).not.toMatch(/prisma|transaction/i);
    expect(log.some(({ level, fields }) => level === 'error' && 'err' in fields)).toBe(true);
  });

  test('an unreachable database is 503 with Retry-After', async () => {
    const { deps, a } = api();
    const gone = createDatabase({
      url: 'postgres://gw_api:x@127.0.0.1:1/none',
      applicationName: 'test',
      poolSize: 2,
    });
    const send = createSend(createApp({ ...deps, apiDatabase: gone }));
    const answer = await send('GET /v1/contact-lists', { key: a.read });
    expect([answer.status, answer.body['code']]).toEqual([503, 'unavailable']);
    expect(answer.headers.get('Retry-After')).toBe('5');
    const keyless = createSend(createApp({ ...deps, engineDatabase: gone }));
    expect((await keyless('GET /v1/me', { key: a.read })).status).toBe(503);
    await gone.close();
  });

  test('a database whose connections are all busy is 503, too', async () => {
    const { deps, a } = api();
    const busy = createDatabase({
      url: deps.apiDatabase.url,
      applicationName: 'busy',
      poolSize: 1,
    });
    const held = busy.query('select pg_sleep(4)::text as done');
    const answer = await createSend(createApp({ ...deps, apiDatabase: busy }))(
      'GET /v1/contact-lists',
      { key: a.read },
    );
    expect([answer.status, answer.body['code']]).toEqual([503, 'unavailable']);
    await held;
    await busy.close();
  });
});

describe('around every request', () => {
  test('the log has a line without body, query and key', async () => {
    const { log, a, send } = api();
    await send('GET /v1/contacts?limit=7', { key: a.read });
    const line = log.findLast(({ message }) => message === 'request');
    expect(line?.fields).toMatchObject({
      method: 'GET',
      path: '/v1/contacts',
      status: 200,
      orgId: a.orgId,
    });
    expect(JSON.stringify(log)).not.toContain(a.read);
  });

  test('headers forbid framing, sniffing and scripts', async () => {
    const { headers } = await api().send('GET /healthz');
    expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'");
    expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
  });

  test('health, readiness and metrics need no key', async () => {
    const { deps, send } = api();
    expect((await send('GET /healthz')).body).toEqual({ status: 'ok' });
    expect((await send('GET /readyz')).body).toEqual({ ready: true, checks: { database: true } });
    expect((await send('GET /metrics')).text).toBe('up 1\n');
    const unready = createSend(createApp({ ...deps, ready: async () => ({ database: false }) }));
    const answer = await unready('GET /readyz');
    expect([answer.status, answer.body]).toEqual([
      503,
      { ready: false, checks: { database: false } },
    ]);
  });
});
