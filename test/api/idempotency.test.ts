import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { createSend, GRAPH, withTestApi } from './support.ts';

const api = withTestApi();
const post = (idempotencyKey: string, body: object, path = '/v1/contact-lists') =>
  api().send(`POST ${path}`, {
    key: api().a.admin,
    body,
    headers: { 'Idempotency-Key': idempotencyKey },
  });

describe('a POST with an Idempotency-Key', () => {
  test('sent again gets the first answer again and does nothing', async () => {
    const first = await post('again', { name: 'Once' });
    const second = await post('again', { name: 'Once' });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect(first.headers.get('Idempotency-Replayed')).toBeNull();
    expect(second.headers.get('Idempotency-Replayed')).toBe('true');
    const rows = await api().engine.query(`select 1 from contact_list where name = 'Once'`);
    expect(rows).toHaveLength(1);
  });

  test('with another body or path is refused', async () => {
    await post('reused', { name: 'One' });
    const other = await post('reused', { name: 'Two' });
    const elsewhere = await post('reused', { name: 'One' }, '/v1/keys');
    expect([other.status, other.body['code']]).toEqual([422, 'idempotency-key-reused']);
    expect(elsewhere.status).toBe(422);
  });

  test('is another one in another org', async () => {
    await post('shared', { name: 'A' });
    const answer = await api().send('POST /v1/contact-lists', {
      key: api().b.write,
      body: { name: 'B' },
      headers: { 'Idempotency-Key': 'shared' },
    });
    expect(answer.status).toBe(201);
  });

  test('keeps a refusal too', async () => {
    const first = await post('refused', { name: '' });
    const second = await post('refused', { name: '' });
    expect([first.status, second.status]).toEqual([400, 400]);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('Content-Type')).toBe('application/problem+json');
  });

  test('of two at once lets one work', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => post('race', { name: 'Race' })),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(new Set(made.map(({ body }) => body['id'])).size).toBe(1);
    const rest = answers.filter(({ status }) => status !== 201);
    expect(rest.every(({ body }) => body['code'] === 'idempotency-in-flight')).toBe(true);
    const rows = await api().engine.query(`select 1 from contact_list where name = 'Race'`);
    expect(rows).toHaveLength(1);
  });

  test('goes on after a request that died a minute ago, not before', async () => {
    const { engine } = api();
    await post('died', { name: 'Died' });
    const age = (seconds: number) =>
      engine.query(
        `update idempotency_key set status = null, response = null, created_at = now() - $1::int * interval '1 s' where key = 'died' returning 1`,
        seconds,
      );
    await age(30);
    expect((await post('died', { name: 'Died' })).body['code']).toBe('idempotency-in-flight');
    await age(61);
    expect((await post('died', { name: 'Died' })).status).toBe(201);
  });

  test('may be sent again after an error of ours', async () => {
    const { deps, a } = api();
    const failing = createApp({
      ...deps,
      seal: () => {
        throw new Error('no key');
      },
    });
    const options = {
      key: a.admin,
      body: {
        provider: 'twilio',
        name: 'T',
        accountSid: `AC${'a'.repeat(32)}`,
        authToken: 'secret-token',
      },
      headers: { 'Idempotency-Key': 'failed' },
    };
    expect((await createSend(failing)('POST /v1/provider-accounts', options)).status).toBe(500);
    expect((await api().send('POST /v1/provider-accounts', options)).status).toBe(201);
  });

  test.each(['', 'x'.repeat(256), 'umlaut-\u00e4'])('with the key "%s" is refused', async (key) => {
    const answer = await post(key, { name: 'X' });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid-idempotency-key']);
  });

  test('never keeps the secret of a new key', async () => {
    const body = { name: 'K', scopes: ['read'] };
    const first = await post('new-key', body, '/v1/keys');
    const second = await post('new-key', body, '/v1/keys');
    expect(second.body).toEqual({ ...first.body, key: null });
    const secret = String(first.body['key']).slice(12);
    const rows = await api().engine.query<{ r: string }>(
      'select response::text as r from idempotency_key',
    );
    expect(rows.some(({ r }) => r?.includes(secret))).toBe(false);
  });

  test('is not needed to check a script', async () => {
    const checked = () => post('check', { graph: GRAPH }, '/v1/scripts/check');
    await checked();
    expect((await checked()).headers.get('Idempotency-Replayed')).toBeNull();
  });
});
