import { beforeAll, describe, expect, test } from 'vitest';
import { withTestApi } from './support.ts';

const api = withTestApi();
const AN_ID = '01900000-0000-8000-8000-00000000beef';

/** What each route needs. A route that is not here fails the test: whoever adds one decides who may call it. */
const NEEDS: Readonly<Record<string, 'nothing' | 'read' | 'write' | 'admin'>> = {
  'get /healthz': 'nothing',
  'get /readyz': 'nothing',
  'get /metrics': 'nothing',
  'get /v1/me': 'read',
  'post /v1/campaigns/{id}/purge': 'admin',
  'get /v1/system/housekeeping': 'admin',
  'post /v1/keys': 'admin',
  'get /v1/keys': 'admin',
  'delete /v1/keys/{id}': 'admin',
  'post /v1/members': 'admin',
  'get /v1/members': 'admin',
  'post /v1/members/{id}/suspend': 'admin',
  'post /v1/members/{id}/reinstate': 'admin',
  'get /v1/org': 'read',
  'patch /v1/org': 'admin',
  'post /v1/org/stop-sending': 'write',
  'post /v1/org/resume-sending': 'admin',
  'get /v1/budget': 'read',
  'put /v1/budget': 'admin',
  'get /v1/rates': 'read',
  'put /v1/rates': 'admin',
  'post /v1/registrations': 'admin',
  'get /v1/registrations': 'read',
  'post /v1/provider-accounts': 'admin',
  'get /v1/provider-accounts': 'admin',
  'get /v1/provider-accounts/{id}': 'admin',
  'put /v1/provider-accounts/{id}/tokens': 'admin',
  'post /v1/sender-pools': 'write',
  'get /v1/sender-pools': 'read',
  'get /v1/sender-pools/{id}': 'read',
  'post /v1/sender-pools/{id}/senders': 'write',
  'post /v1/senders/{id}/stop': 'write',
  'post /v1/senders/{id}/resume': 'write',
  'post /v1/contact-lists': 'write',
  'get /v1/contact-lists': 'read',
  'get /v1/contact-lists/{id}': 'read',
  'post /v1/contact-lists/{id}/imports': 'write',
  'get /v1/imports/{id}': 'read',
  'post /v1/imports/{id}/cancel': 'write',
  'get /v1/imports/{id}/rejects': 'read',
  'get /v1/imports/{id}/verdicts.csv': 'read',
  'get /v1/contacts': 'read',
  'get /v1/contacts/{id}': 'read',
  'post /v1/scripts': 'write',
  'get /v1/scripts': 'read',
  'post /v1/scripts/check': 'write',
  'get /v1/scripts/{id}': 'read',
  'post /v1/scripts/{id}/versions': 'write',
  'post /v1/campaigns': 'write',
  'get /v1/campaigns': 'read',
  'get /v1/campaigns/{id}': 'read',
  'patch /v1/campaigns/{id}': 'write',
  'post /v1/campaigns/{id}/check': 'write',
  'post /v1/campaigns/{id}/launch': 'write',
  'post /v1/campaigns/{id}/pause': 'write',
  'post /v1/campaigns/{id}/resume': 'write',
  'post /v1/campaigns/{id}/cancel': 'write',
  'post /v1/campaigns/{id}/close-replies': 'write',
  'put /v1/campaigns/{id}/rate': 'write',
  'get /v1/campaigns/{id}/preview': 'read',
  'get /v1/campaigns/{id}/progress': 'read',
  'get /v1/campaigns/{id}/report': 'read',
  'get /v1/campaigns/{id}/report.csv': 'read',
  'get /v1/campaigns/{id}/messages': 'read',
  'get /v1/messages': 'read',
  'get /v1/messages/{id}': 'read',
  'get /v1/conversations': 'read',
  'get /v1/conversations/{id}': 'read',
  'post /v1/suppressions': 'write',
  'get /v1/suppressions': 'read',
  'post /v1/suppressions/import': 'write',
  'get /v1/suppressions/export.csv': 'read',
  'post /v1/suppressions/{id}/lift': 'write',
  'post /v1/exports': 'write',
  'get /v1/exports': 'read',
  'get /v1/exports/{id}': 'read',
  'post /v1/exports/{id}/cancel': 'write',
  'get /v1/exports/{id}/file': 'read',
};

/** Keys that are no longer, or never were, good. */
let refused: Record<string, string | undefined> = {};

beforeAll(async () => {
  const { a, engine } = api();
  const make = async (body: object) =>
    (await api().send('POST /v1/keys', { key: a.admin, body: { scopes: ['admin'], ...body } }))
      .body;
  const member = await api().send('POST /v1/members', {
    key: a.admin,
    body: { email: 'kim@example.org', name: 'Kim', role: 'admin' },
  });
  const [revoked, expired, suspended] = [
    await make({ name: 'revoked' }),
    await make({ name: 'expired' }),
    await make({ name: 'suspended', memberId: member.body['id'] }),
  ];
  await api().send(`DELETE /v1/keys/${revoked['id']}`, { key: a.admin });
  await api().send(`POST /v1/members/${member.body['id']}/suspend`, { key: a.admin });
  await engine.query(
    `update api_key set expires_at = now() - interval '1 s' where id = $1::uuid returning 1 as done`,
    expired['id'],
  );
  refused = {
    'no key': undefined,
    'what is no key': 'hello',
    'an unknown key': `gw_00000000_${'A'.repeat(43)}`,
    'a revoked key': revoked['key'] ?? '',
    'an expired key': expired['key'] ?? '',
    'the key of a suspended member': suspended['key'] ?? '',
  };
});

async function documented(): Promise<string[]> {
  const { paths } = (await api().send('GET /openapi.json')).body as unknown as {
    paths: Record<string, object>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
}

async function call(route: string, key: string | undefined): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  const line = `${method.toUpperCase()} ${path.replace('{id}', AN_ID)}`;
  const body = method === 'get' || method === 'delete' ? {} : { body: {} };
  return (await api().send(line, { ...(key === undefined ? {} : { key }), ...body })).status;
}

describe('every documented route', () => {
  test('has a row that says who may call it, and every row a route', async () => {
    expect((await documented()).toSorted()).toEqual(Object.keys(NEEDS).toSorted());
  });

  test('refuses whoever is nobody', async () => {
    const routes = Object.keys(NEEDS).filter((route) => NEEDS[route] !== 'nothing');
    for (const [who, key] of Object.entries(refused)) {
      const let_in: string[] = [];
      for (const route of routes) if ((await call(route, key)) !== 401) let_in.push(route);
      expect([who, let_in]).toEqual([who, []]);
    }
  });

  test('refuses a key whose scope is too small', async () => {
    const { a } = api();
    const below = { write: [a.read], admin: [a.read, a.write] } as const;
    const letIn: string[] = [];
    for (const [route, needed] of Object.entries(NEEDS)) {
      if (needed !== 'write' && needed !== 'admin') continue;
      for (const key of below[needed]) {
        if ((await call(route, key)) !== 403) letIn.push(route);
      }
    }
    expect(letIn).toEqual([]);
  });

  test('takes a key whose scope is large enough', async () => {
    const { a } = api();
    const shutOut: string[] = [];
    for (const [route, needed] of Object.entries(NEEDS)) {
      if (needed === 'nothing' || route.endsWith('-sending')) continue;
      const status = await call(route, a[needed]);
      if (status === 401 || status === 403 || status >= 500) shutOut.push(`${route} ${status}`);
    }
    expect(shutOut).toEqual([]);
  });
});

describe('a member', () => {
  test('who is reinstated has their keys back', async () => {
    const { a, send } = { a: api().a, send: api().send };
    const made = await send('POST /v1/members', {
      key: a.admin,
      body: { email: 'lee@example.org', name: 'Lee', role: 'texter' },
    });
    const { key = '' } = (
      await send('POST /v1/keys', {
        key: a.admin,
        body: { name: 'lee', scopes: ['read'], memberId: made.body['id'] },
      })
    ).body;
    const status = async () => (await send('GET /v1/me', { key: key ?? '' })).status;
    const path = `/v1/members/${made.body['id']}`;
    await send(`POST ${path}/suspend`, { key: a.admin });
    expect(await status()).toBe(401);
    await send(`POST ${path}/reinstate`, { key: a.admin });
    expect(await status()).toBe(200);
  });

  test('of another org cannot be given a key', async () => {
    const { a, b, send } = { a: api().a, b: api().b, send: api().send };
    const made = await send('POST /v1/members', {
      key: a.admin,
      body: { email: 'max@example.org', name: 'Max', role: 'texter' },
    });
    const answer = await send('POST /v1/keys', {
      key: b.admin,
      body: { name: 'max', scopes: ['read'], memberId: made.body['id'] },
    });
    expect([answer.status, answer.body['detail']]).toEqual([404, 'There is no such member.']);
  });
});
