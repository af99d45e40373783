import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../api/app.ts';
import { aCampaign, createSend, decideRows, phoneOf, withTestApi } from './support.ts';

const api = withTestApi();
const NOBODY = '01900000-0000-8000-8000-000000000000';
const CSV = { 'Content-Type': 'text/csv' };

async function aList(): Promise<string> {
  const made = await api().send('POST /v1/contact-lists', {
    key: api().a.write,
    body: { name: 'L' },
  });
  return made.body['id'] ?? '';
}

async function upload(listId: string, raw: string | Uint8Array, query = '') {
  return api().send(`POST /v1/contact-lists/${listId}/imports${query}`, {
    key: api().a.write,
    raw,
    headers: CSV,
  });
}

describe('an upload', () => {
  test('is an import that waits for the engine', async () => {
    const listId = await aList();
    const rung = api().notified.count;
    const made = await upload(
      listId,
      'phone\n+12125550123\n',
      '?fileName=people.csv&defaultCountry=ca',
    );
    expect([made.status, made.body]).toEqual([
      202,
      {
        id: expect.any(String),
        listId,
        fileName: 'people.csv',
        state: 'queued',
        problem: null,
        rows: { decided: 0, accepted: 0, rejected: 0 },
        bytes: { done: '0', total: '19' },
        rejectsByReason: {},
        createdAt: expect.any(String),
        startedAt: null,
        finishedAt: null,
      },
    ]);
    expect(api().notified.count).toBe(rung + 1);
    const bells = await api().engine.query(
      'select 1 from outbox where kind = $1::outbox_kind and ref_id = $2::uuid',
      'start_import',
      made.body['id'],
    );
    expect(bells).toHaveLength(1);
  });

  test('of the same file into the same list is the same import', async () => {
    const listId = await aList();
    const first = await upload(listId, 'phone\n+12125550124\n');
    const again = await upload(listId, 'phone\n+12125550124\n');
    expect([again.status, again.body['id']]).toEqual([200, first.body['id']]);
    const elsewhere = await upload(await aList(), 'phone\n+12125550124\n');
    expect([elsewhere.status, elsewhere.body['id'] === first.body['id']]).toEqual([202, false]);
  });

  test.each([
    ['nothing', '', 'file-empty'],
    ['blanks', ' \n\n', 'file-empty'],
    ['a spreadsheet', Buffer.from('PK\u0003\u0004xlsx'), 'file-not-csv'],
    ['a PDF', '%PDF-1.7 …', 'file-not-csv'],
    ['a gzip file', gzipSync('phone\n'), 'file-not-csv'],
    ['UTF-16', Buffer.from('\uFEFFphone\n', 'utf16le'), 'file-not-csv'],
    ['UTF-16 without a mark', Buffer.from('phone\n', 'utf16le'), 'file-not-csv'],
  ])('of %s is refused', async (_, raw, code) => {
    const answer = await upload(await aList(), raw);
    expect([answer.status, answer.body['code']]).toEqual([400, code]);
  });

  test('of a form is refused', async () => {
    const answer = await api().send(`POST /v1/contact-lists/${await aList()}/imports`, {
      key: api().a.write,
      raw: '--x\r\n',
      headers: { 'Content-Type': 'multipart/form-data; boundary=x' },
    });
    expect([answer.status, answer.body['code']]).toEqual([400, 'file-not-csv']);
  });

  test('of more than the limit is refused, announced or not, and nothing is kept', async () => {
    const listId = await aList();
    const raw = `phone\n${'+12125550123\n'.repeat(160_000)}`;
    const answer = await upload(listId, raw);
    expect([answer.status, answer.body['code']]).toEqual([413, 'too-large']);
    const blobs = await api().engine.query('select 1 from blob where size > 1000000');
    expect(blobs).toEqual([]);
  });

  test.each([
    ['?defaultCountry=XX', 400],
    [`?fileName=${'x'.repeat(256)}`, 400],
  ])('with %s is %i', async (query, status) => {
    expect((await upload(await aList(), 'phone\n1\n', query)).status).toBe(status);
  });

  test('into a list that is not there is 404', async () => {
    expect((await upload(NOBODY, 'phone\n1\n')).body['code']).toBe('not-found');
  });
});

describe('an import', () => {
  test('counts its verdicts and streams them, safe for spreadsheets', async () => {
    const { importId } = await aCampaign(api(), api().a, { people: ['Ada', 'Bo'] });
    const { send, a } = api();
    const shown = await send(`GET /v1/imports/${importId}`, { key: a.read });
    expect(shown.body).toMatchObject({
      state: 'finished',
      rows: { decided: 3, accepted: 2, rejected: 1 },
      rejectsByReason: { 'not-a-number': 1 },
    });
    const rejects = await send(`GET /v1/imports/${importId}/rejects`, { key: a.read });
    expect(rejects.body['items']).toEqual([
      { row: 3, reason: 'not-a-number', detail: '=The cell holds no digits.', duplicateOf: null },
    ]);
    const csv = await send(`GET /v1/imports/${importId}/verdicts.csv`, { key: a.read });
    expect(csv.headers.get('Content-Type')).toBe('text/csv; charset=utf-8');
    expect(csv.text.split('\r\n')).toEqual([
      'row,verdict,reason,detail,duplicate_of',
      '1,accepted,,,',
      '2,accepted,,,',
      `3,rejected,not-a-number,'=The cell holds no digits.,`,
      '',
    ]);
  });

  test('of more than a page streams every row once', async () => {
    const listId = await aList();
    const made = await upload(listId, 'phone\nmany\n');
    const people = Array.from({ length: 4_500 }, (_, index) => `P${index}`);
    await decideRows(api(), made.body['id'] ?? '', { people, n: 90 });
    const { send, a } = api();
    const csv = await send(`GET /v1/imports/${String(made.body['id'])}/verdicts.csv`, {
      key: a.read,
    });
    const rows = csv.text.trimEnd().split('\r\n').slice(1);
    expect(rows.map((row) => Number(row.split(',')[0]))).toEqual(
      Array.from({ length: 4_501 }, (_, index) => index + 1),
    );
    expect(phoneOf(90, 0)).toMatch(/^\+1/);
  });

  test('stops when it is told to, once', async () => {
    const made = await upload(await aList(), 'phone\n+12125550177\n');
    const path = `/v1/imports/${String(made.body['id'])}`;
    const stopped = await api().send(`POST ${path}/cancel`, { key: api().a.write });
    expect([stopped.status, stopped.body['state']]).toEqual([200, 'cancelled']);
    const again = await api().send(`POST ${path}/cancel`, { key: api().a.write });
    expect([again.status, again.body['code']]).toEqual([409, 'import-state']);
    const nobody = await api().send(`POST /v1/imports/${NOBODY}/cancel`, { key: api().a.write });
    expect(nobody.status).toBe(404);
  });
});

test('an upload that breaks off is no import', async () => {
  const listId = await aList();
  const { deps, a } = api();
  const app = createApp(deps);
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode('phone\n'));
    },
    pull: (controller) => controller.error(new Error('connection lost')),
  });
  const init = {
    method: 'POST',
    body,
    duplex: 'half',
    headers: { ...CSV, Authorization: `Bearer ${a.write}` },
  };
  const answer = await app.request(`/v1/contact-lists/${listId}/imports`, init as RequestInit);
  expect(answer.status).toBe(500);
  const rows = await api().engine.query('select 1 from import where list_id = $1::uuid', listId);
  expect(rows).toEqual([]);
  expect((await createSend(app)('GET /healthz')).status).toBe(200);
});
