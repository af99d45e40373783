import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { createOrg } from '../../db/orgs.ts';
import { createTestDatabase } from '../support/database.ts';
import { createDatabase } from '../../db/client.ts';
import { createKeyLookup } from '../../db/api-keys.ts';
import { createSend, withTestApi } from './support.ts';

const api = withTestApi();

describe('a key', () => {
  test('says whose it is', async () => {
    const { a, send } = api();
    expect((await send('GET /v1/me', { key: a.read })).body).toMatchObject({
      org: { id: a.orgId, name: 'Org A' },
      key: { name: 'read', scopes: ['read'] },
    });
  });

  test('is shown once, and only its hash is stored', async () => {
    const { a, send, engine } = api();
    const made = await send('POST /v1/keys', {
      key: a.admin,
      body: { name: 'K', scopes: ['read'] },
    });
    const key: string = made.body['key'] ?? '';
    expect(made.status).toBe(201);
    expect(key).toMatch(/^gw_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/);
    expect(key.startsWith(`${String(made.body['prefix'])}_`)).toBe(true);
    const listed = await send('GET /v1/keys', { key: a.admin });
    expect(listed.text).not.toContain(key.slice(12));
    const rows = await engine.query<{ row: string }>('select k::text as row from api_key k');
    expect(rows.some(({ row }) => row.includes(key.slice(12)))).toBe(false);
  });

  test('is refused at once where it was revoked', async () => {
    const { a, send } = api();
    const made = await send('POST /v1/keys', {
      key: a.admin,
      body: { name: 'K', scopes: ['read'] },
    });
    const key: string = made.body['key'] ?? '';
    expect((await send('GET /v1/me', { key })).status).toBe(200);
    const revoked = await send(`DELETE /v1/keys/${String(made.body['id'])}`, { key: a.admin });
    expect([revoked.status, typeof revoked.body['revokedAt']]).toEqual([200, 'string']);
    expect((await send('GET /v1/me', { key })).status).toBe(401);
  });

  test('is refused from its expiry on', async () => {
    const { a, deps, send } = api();
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const body = { name: 'K', scopes: ['read'], expiresAt };
    const key: string = (await send('POST /v1/keys', { key: a.admin, body })).body['key'] ?? '';
    expect((await send('GET /v1/me', { key })).status).toBe(200);
    const later = createApp({ ...deps, now: () => new Date(Date.now() + 3_600_001) });
    expect((await createSend(later)('GET /v1/me', { key })).status).toBe(401);
  });

  test('cannot expire in the past', async () => {
    const { a, send } = api();
    const body = { name: 'K', scopes: ['read'], expiresAt: '2020-01-01T00:00:00Z' };
    const answer = await send('POST /v1/keys', { key: a.admin, body });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid-request']);
  });

  test('notes its use once a minute and is read once in two seconds', async () => {
    const { a, engine } = api();
    let reads = 0;
    const lookup = createKeyLookup({
      query: (sql, ...parameters) => {
        reads += 1;
        return engine.query(sql, ...parameters);
      },
    });
    for (let n = 0; n < 5; n += 1) await lookup.find(a.read, new Date());
    expect(reads).toBe(1);
    const [row] = await engine.query<{ at: Date | null }>(
      'select last_used_at as at from api_key where org_id = $1::uuid and name = $2',
      a.orgId,
      'read',
    );
    expect(row?.at).toBeInstanceOf(Date);
  });
});

describe('scopes', () => {
  test.each([
    ['GET /v1/contacts', ['read', 'write', 'admin']],
    ['POST /v1/contact-lists', ['write', 'admin']],
    ['PUT /v1/campaigns/00000000-0000-8000-8000-000000000000/rate', ['write', 'admin']],
    ['GET /v1/keys', ['admin']],
    ['POST /v1/keys', ['admin']],
    ['GET /v1/provider-accounts', ['admin']],
  ] as const)('%s needs one of %j', async (route, allowed) => {
    const { a, send } = api();
    for (const scope of ['read', 'write', 'admin'] as const) {
      const answer = await send(route, { key: a[scope] });
      const refused = answer.status === 403;
      expect([scope, refused]).toEqual([scope, !(allowed as readonly string[]).includes(scope)]);
      const challenge = answer.headers.get('WWW-Authenticate') ?? '';
      expect(challenge.includes('insufficient_scope')).toBe(refused);
    }
  });
});

test('an org is created with the owner’s URL although row-level security binds the owner', async () => {
  const urls = await createTestDatabase();
  const org = await createOrg(urls.ownerUrl, { name: 'New' });
  const engine = createDatabase({ url: urls.engineUrl, applicationName: 'test', poolSize: 2 });
  const caller = await createKeyLookup(engine).find(org.apiKey, new Date());
  expect(caller).toMatchObject({
    orgId: org.orgId,
    orgName: 'New',
    keyId: org.keyId,
    scopes: ['admin'],
  });
  expect(await engine.query('select action from audit_log')).toEqual([{ action: 'org.create' }]);
  await engine.close();
  await urls.drop();
});
