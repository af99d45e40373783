import { describe, expect, test } from 'vitest';
import { suppressPlatform } from '../../db/suppressions.ts';
import { withTestApi } from './support.ts';

const api = withTestApi();

interface Row {
  id: string;
  address: string;
  scope: string;
  programme: string | null;
  evidence: string | null;
  createdAt: string;
}

async function list(key: string, address: string): Promise<Row[]> {
  const path = `/v1/suppressions?address=${encodeURIComponent(address)}`;
  return (await api().send(`GET ${path}`, { key })).body['items'] as unknown as Row[];
}

describe('a suppression', () => {
  test('reaches the org, or one programme of it', async () => {
    const key = api().a.write;
    const address = '+12125550401';
    const body = { address, reason: 'asked by phone', evidence: 'call of 3 May, by Kim' };
    const whole = await api().send('POST /v1/suppressions', { key, body });
    const one = await api().send('POST /v1/suppressions', {
      key,
      body: { ...body, programme: 'Weekly news' },
    });
    expect([whole.status, one.status]).toEqual([201, 201]);
    expect(await list(key, address)).toEqual([
      expect.objectContaining({ scope: 'programme', programme: 'Weekly news' }),
      expect.objectContaining({ scope: 'org', programme: null, evidence: body.evidence }),
    ]);
    // The same again is the same.
    expect((await api().send('POST /v1/suppressions', { key, body })).status).toBe(200);
  });

  test('is lifted by evidence that is later than the opt-out only', async () => {
    const key = api().a.write;
    const made = await api().send('POST /v1/suppressions', {
      key,
      body: { address: '+12125550402', reason: 'asked' },
    });
    const lift = (body: object) =>
      api().send(`POST /v1/suppressions/${made.body['id']}/lift`, { key, body });
    const early = await lift({ evidence: 'a form', givenAt: '2020-01-01T00:00:00Z' });
    expect([early.status, early.body['errors']]).toEqual([
      400,
      [{ field: 'givenAt', message: 'must be later than the opt-out' }],
    ]);
    expect((await lift({ evidence: 'a newer form' })).status).toBe(200);
    expect((await lift({ evidence: 'a newer form' })).body['code']).toBe('suppression-lifted');
  });
});

describe('a list of suppressions', () => {
  const upload = (raw: string, query = 'reason=old%20system') =>
    api().send(`POST /v1/suppressions/import?${query}`, {
      key: api().a.write,
      raw,
      headers: { 'Content-Type': 'text/csv' },
    });

  test('is taken row by row, in any form of number, and the same list again changes nothing', async () => {
    const file =
      'name,Phone\nAda,(212) 555-0411\nBob,+1 212 555 0412\nBob again,2125550412\nNobody,12\n';
    const first = await upload(file);
    expect([first.status, first.body]).toEqual([
      200,
      { accepted: 2, known: 1, rejected: 1, rejects: [{ row: 5, reason: expect.any(String) }] },
    ]);
    expect((await upload(file)).body).toMatchObject({ accepted: 0, known: 3, rejected: 1 });
    expect(await list(api().a.read, '+12125550411')).toHaveLength(1);
  });

  test('needs no header', async () => {
    expect((await upload('+12125550413\n+12125550414\n')).body).toMatchObject({ accepted: 2 });
  });

  test('skips what is planned for its people', async () => {
    const { engine, a } = api();
    const [row] = await engine.query<{ id: string }>(
      `insert into message (id, org_id, direction, purpose, state, priority, account_id, address, body, segments, due_at, not_after)
       values (uuid_floor(now()), $1::uuid, 'outbound', 'api', 'planned', 3, gen_random_uuid(), '+12125550415', 'Hi', 1, now(), now() + interval '1 hour')
       returning id`,
      a.orgId,
    );
    await upload('+12125550415\n');
    const [after] = await engine.query<{ state: string; reason: string }>(
      'select state::text as state, reason from message where id = $1::uuid',
      row?.id,
    );
    expect(after).toEqual({ state: 'skipped', reason: 'opted_out' });
  });

  test.each([
    ['', 'file-empty'],
    ['"+12125550416\n', 'file-not-csv'],
  ])('that is %j is refused', async (raw, code) => {
    expect((await upload(raw)).body['code']).toBe(code);
  });

  test('comes back as CSV, and only the org’s own', async () => {
    await upload('+12125550417\n', 'reason=old%20system&programme=News');
    const own = await api().send('GET /v1/suppressions/export.csv', { key: api().a.read });
    expect(own.text.split('\r\n')[0] ?? '').toContain('phone,scope,programme');
    expect(own.text).toContain('+12125550417,programme,News,old system,import');
    const foreign = await api().send('GET /v1/suppressions/export.csv', { key: api().b.read });
    expect(foreign.text).not.toContain('+12125550417');
  });
});

describe('a number that the deployment keeps back', () => {
  test('is skipped for every org, and is nobody’s to see or lift', async () => {
    const address = '+12125550420';
    const person = { address, reason: 'litigator', evidence: 'court order 7' };
    expect(await suppressPlatform(api().engine, person)).toBe(true);
    expect(await suppressPlatform(api().engine, person)).toBe(false);
    expect(await list(api().a.read, address)).toEqual([]);
  });
});
