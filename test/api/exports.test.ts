import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { beforeAll, describe, expect, test } from 'vitest';
import { createExportActivities } from '../../activities/exports.ts';
import { createPostgresStorage } from '../../db/stored-objects.ts';
import { expireExports } from '../../db/exports.ts';
import { EXPORT_COLUMNS } from '../../domain/message-export.ts';
import { addSentTexts } from '../support/export-rows.ts';
import { aCampaign, withTestApi, type Answer, type TestCampaign } from './support.ts';

const api = withTestApi();
const NOBODY = '01900000-0000-8000-8000-000000000000';
const TEXTS = 12_000;
let campaign: TestCampaign;

beforeAll(async () => {
  campaign = await aCampaign(api(), api().a);
  const { campaignId, accountId } = campaign;
  const texts = { count: TEXTS, campaignId };
  await addSentTexts(api().engine, { orgId: api().a.orgId, accountId }, texts);
});

function ask(body: object, key = api().a.write, headers = {}): Promise<Answer> {
  return api().send('POST /v1/exports', {
    key,
    body: { kind: 'messages', format: 'csv', ...body },
    headers,
  });
}

/** Asks for a file and has the engine write it. */
async function made(body: object, key = api().a.admin): Promise<string> {
  const { id = '' } = (await ask(body, key)).body;
  await createExportActivities({
    database: api().engine,
    storage: createPostgresStorage(api().engine),
  }).runExport({ exportId: id });
  return id;
}

function get(path: string, key = api().a.read): Promise<Answer> {
  return api().send(`GET /v1/exports${path}`, { key });
}

async function audited(id: unknown): Promise<string[]> {
  const rows = await api().engine.query<{ action: string }>(
    'select action from audit_log where object_id = $1::uuid order by id',
    id,
  );
  return rows.map(({ action }) => action);
}

describe('an export that is asked for', () => {
  test('waits for the engine, which is rung', async () => {
    const rung = api().notified.count;
    const createdFrom = '2026-01-01T00:00:00+01:00';
    const answer = await ask({ campaignId: campaign.campaignId, createdFrom });
    expect([answer.status, answer.body]).toEqual([
      202,
      {
        id: expect.any(String),
        kind: 'messages',
        format: 'csv',
        campaignId: campaign.campaignId,
        createdFrom: '2025-12-31T23:00:00.000Z',
        createdTo: null,
        fullNumbers: false,
        state: 'queued',
        problem: null,
        rows: { done: 0, total: null, isEstimate: false },
        bytes: '0',
        createdAt: expect.any(String),
        startedAt: null,
        finishedAt: null,
      },
    ]);
    expect(api().notified.count).toBe(rung + 1);
    const { id } = answer.body;
    const bells = await api().engine.query(
      `select 1 from outbox where kind = 'start_export' and ref_id = $1::uuid`,
      id,
    );
    expect(bells).toHaveLength(1);
    expect(await audited(id)).toEqual(['export.create']);
    expect((await get(`/${id}`)).body).toEqual(answer.body);
  });

  test('twice with one Idempotency-Key is one export', async () => {
    const headers = { 'Idempotency-Key': 'the same file' };
    const first = await ask({}, api().a.write, headers);
    const again = await ask({}, api().a.write, headers);
    expect([again.status, again.body['id']]).toEqual([202, first.body['id']]);
    const other = await ask({ format: 'ndjson' }, api().a.write, headers);
    expect(other.body['code']).toBe('idempotency-key-reused');
  });

  test.each<[string, object, string]>([
    ['another kind', { kind: 'contacts' }, 'kind'],
    ['another format', { format: 'xlsx' }, 'format'],
    ['a campaign that is no id', { campaignId: 'all' }, 'campaignId'],
    ['an instant without a zone', { createdFrom: '2026-01-01T00:00:00' }, 'createdFrom'],
    [
      'an end before the beginning',
      { createdFrom: '2026-01-02T00:00:00Z', createdTo: '2026-01-01T00:00:00Z' },
      'createdTo',
    ],
  ])('with %s is refused', async (_, body, field) => {
    const answer = await ask(body);
    const [error] = answer.body['errors'] as unknown as { field: string }[];
    expect([answer.status, error?.field]).toEqual([400, field]);
  });

  test.each(['another org’s', 'no'])('of %s campaign is 404', async (whose) => {
    const key = whose === 'no' ? api().a.write : api().b.write;
    const campaignId = whose === 'no' ? NOBODY : campaign.campaignId;
    expect((await ask({ campaignId }, key)).status).toBe(404);
  });
});

describe('the file of an export', () => {
  test('arrives whole over a connection', async () => {
    const id = await made({});
    const server = serve({ fetch: api().app.fetch, port: 0, hostname: '127.0.0.1' });
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}/v1/exports/${id}/file`, {
        headers: { Authorization: `Bearer ${api().a.admin}` },
      });
      expect(await response.text()).toBe((await get(`/${id}/file`, api().a.admin)).text);
      const { bytes } = (await get(`/${id}`)).body;
      expect(response.headers.get('Content-Length')).toBe(bytes);
    } finally {
      server.close();
    }
  });

  test('is streamed whole, with its name, type and length', async () => {
    const id = await made({});
    const file = await get(`/${id}/file`, api().a.admin);
    expect(file.status).toBe(200);
    expect(file.headers.get('Content-Type')).toBe('text/csv; charset=utf-8');
    expect(file.headers.get('Content-Disposition')).toBe(
      `attachment; filename="messages-${id}.csv"`,
    );
    expect(file.headers.get('Content-Length')).toBe(String(Buffer.byteLength(file.text)));
    const [head, ...lines] = file.text.trimEnd().split('\r\n');
    expect(head).toBe(EXPORT_COLUMNS.join(','));
    expect(new Set(lines.map((line) => line.split(',')[0])).size).toBe(TEXTS);
    const shown = await get(`/${id}`);
    expect(shown.body).toMatchObject({
      state: 'finished',
      rows: { done: TEXTS, total: TEXTS, isEstimate: false },
      bytes: String(Buffer.byteLength(file.text)),
    });
  });

  test('is a JSON object a line in NDJSON', async () => {
    const id = await made({ format: 'ndjson', campaignId: campaign.campaignId });
    const file = await get(`/${id}/file`, api().a.admin);
    expect(file.headers.get('Content-Type')).toBe('application/x-ndjson; charset=utf-8');
    const [first = ''] = file.text.split('\n');
    expect(JSON.parse(first)).toMatchObject({
      campaignId: campaign.campaignId,
      priceMicros: '8300',
    });
  });

  test('is read no faster than the client takes it', async () => {
    const id = await made({});
    const response = await api().app.request(`/v1/exports/${id}/file`, {
      headers: { Authorization: `Bearer ${api().a.admin}` },
    });
    const reader = response.body?.getReader();
    await reader?.read();
    // What the client has not asked for yet is gone before it is read: so it was not read before.
    await api().engine.query(
      'delete from export_chunk where export_id = $1::uuid and n = 2 returning 1 as done',
      id,
    );
    await reader?.read();
    await expect(reader?.read()).rejects.toThrow(`chunk 2 of export ${id} is gone`);
  });

  test('with full numbers is for admins, who alone can ask for it', async () => {
    const full = await made({}, api().a.admin);
    for (const key of [api().a.read, api().a.write]) {
      const answer = await get(`/${full}/file`, key);
      expect([answer.status, answer.body['code']]).toEqual([403, 'forbidden']);
    }
    const short = await made({}, api().a.write);
    const file = await get(`/${short}/file`, api().a.read);
    expect(file.status).toBe(200);
    expect(file.text).not.toMatch(/\+12122/);
    expect((await get(`/${full}/file`, api().a.admin)).text).toMatch(/\+12122/);
  });

  test('is not there before the export has finished', async () => {
    const { id } = (await ask({})).body;
    const answer = await get(`/${id}/file`);
    expect([answer.status, answer.body['code']]).toEqual([409, 'export-state']);
  });

  test('is gone a week later, and the export says so', async () => {
    const id = await made({});
    await api().engine.query(
      `update export set finished_at = now() - interval '8 days' where id = $1::uuid returning 1 as done`,
      id,
    );
    await expireExports(api().engine);
    const answer = await get(`/${id}/file`, api().a.admin);
    expect([answer.status, answer.body['code']]).toEqual([410, 'export-expired']);
    expect((await get(`/${id}`)).body).toMatchObject({ state: 'expired', rows: { done: TEXTS } });
  });
});

describe('an export', () => {
  test('stops when it is told to, once', async () => {
    const { id } = (await ask({})).body;
    const stop = () => api().send(`POST /v1/exports/${id}/cancel`, { key: api().a.write });
    const stopped = await stop();
    expect([stopped.status, stopped.body['state']]).toEqual([200, 'cancelled']);
    const again = await stop();
    expect([again.status, again.body['code']]).toEqual([409, 'export-state']);
    expect(await audited(id)).toEqual(['export.create', 'export.cancel']);
    expect((await get(`/${id}/file`)).body['code']).toBe('export-state');
  });

  test('shows how far it is, and a total that is a guess', async () => {
    const { id } = (await ask({})).body;
    await api().engine.query(
      `update export set state = 'running', rows_done = 5000, rows_expected = 4000 where id = $1::uuid returning 1 as done`,
      id,
    );
    const rows = async () => (await get(`/${id}`)).body['rows'];
    expect(await rows()).toEqual({ done: 5_000, total: 5_000, isEstimate: true });
    await api().engine.query(
      `update export set rows_expected = 20000 where id = $1::uuid returning 1 as done`,
      id,
    );
    expect(await rows()).toEqual({ done: 5_000, total: 20_000, isEstimate: true });
  });

  test('stands in the list of its org, the newest first, page by page', async () => {
    const ids: unknown[] = [];
    for (let n = 0; n < 3; n += 1) ids.unshift((await ask({}, api().b.write)).body['id']);
    const seen: string[] = [];
    let query = '?limit=2';
    for (;;) {
      const { body } = await get(query, api().b.read);
      seen.push(...(body['items'] as unknown as { id: string }[]).map((item) => item.id));
      if (body['nextCursor'] === null) break;
      query = `?limit=2&cursor=${body['nextCursor']}`;
    }
    expect(seen).toEqual(ids);
  });
});
