import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExportActivities } from '../../activities/exports.ts';
import { createPostgresStorage } from '../../db/stored-objects.ts';
import type { Database } from '../../db/client.ts';
import { expireExports, EXPORT_ROWS_A_CHUNK } from '../../db/exports.ts';
import { newId } from '../../db/ids.ts';
import { exportHead } from '../../domain/message-export.ts';
import { armFaultPoints, FaultError } from '../../faults/points.ts';
import { addExport, addSentTexts, type ExportWish } from '../support/export-rows.ts';
import { createLedger, type Ledger } from '../support/ledger-rows.ts';
import { withLedger } from '../support/ledger.ts';

const shared = withLedger();
/** An org and an empty table for each test: an export walks over everybody's texts and holds all of its org's. */
let ledger: Ledger;
beforeEach(async () => {
  await shared().database.query('delete from message returning 1 as done');
  ledger = await createLedger(shared().database, shared().urls);
});
afterEach(() => armFaultPoints([], () => {}));

function ask(wish: ExportWish = {}): Promise<string> {
  return addExport(ledger.database, ledger.orgId, wish);
}

function run(
  exportId: string,
  database: Database = ledger.database,
): Promise<{ state: string; rows: number }> {
  return createExportActivities({ database, storage: createPostgresStorage(database) }).runExport({
    exportId,
  });
}

async function readFile(exportId: string): Promise<string> {
  const chunks = await ledger.database.query<{ data: Uint8Array }>(
    'select data from export_chunk where export_id = $1::uuid order by n',
    exportId,
  );
  return Buffer.concat(chunks.map(({ data }) => data)).toString('utf8');
}

async function readCsv(exportId: string): Promise<Record<string, string>[]> {
  return parse(await readFile(exportId), { columns: true });
}

/** The ids of a query, in order. */
async function ids(where: string, ...parameters: unknown[]): Promise<string[]> {
  const rows = await ledger.database.query<{ id: string }>(
    `select id from message where ${where} order by id`,
    ...parameters,
  );
  return rows.map(({ id }) => id);
}

async function view(exportId: string): Promise<unknown> {
  const [row] = await ledger.database.query(
    `select state::text as state, problem, chunks, finished_at is not null as ended,
            (select count(*)::int from export_chunk where export_id = e.id) as kept,
            bytes = (select coalesce(sum(length(data)), 0) from export_chunk where export_id = e.id) as weighed
       from export e where id = $1::uuid`,
    exportId,
  );
  return row;
}

async function addReply(body: string): Promise<void> {
  await ledger.database.query(
    `insert into message (id, org_id, direction, purpose, state, priority, account_id, sender, address, body)
     values ($1::uuid, $2::uuid, 'inbound', 'inbound', 'received', 0, $3::uuid, '+12125550101', '+12125551234', $4) returning 1 as done`,
    newId(),
    ledger.orgId,
    ledger.accountId,
    body,
  );
}

/** The same database, in which something happens around the n-th chunk's write. */
function aroundChunk(
  n: number,
  around: (write: () => Promise<unknown[]>) => Promise<unknown[]>,
): Database {
  const { database } = ledger;
  let written = 0;
  return {
    ...database,
    query: async <Row>(sql: string, ...parameters: readonly unknown[]): Promise<Row[]> => {
      const write = (): Promise<Row[]> => database.query<Row>(sql, ...parameters);
      if (!sql.includes('insert into export_chunk')) return write();
      written += 1;
      return written === n ? ((await around(write)) as Row[]) : write();
    },
  };
}

const THREE_PAGES = EXPORT_ROWS_A_CHUNK * 2 + 7;

describe('an export', () => {
  test('holds every text of the org, out and in, once and in the order of ids', async () => {
    await addSentTexts(ledger.database, ledger, { count: THREE_PAGES });
    await addReply('yes');
    const id = await ask();
    expect(await run(id)).toEqual({ state: 'finished', rows: THREE_PAGES + 1 });
    const rows = await readCsv(id);
    expect(rows.map((row) => row['id'])).toEqual(await ids('org_id = $1::uuid', ledger.orgId));
    expect(await view(id)).toEqual({
      state: 'finished',
      problem: null,
      chunks: 3,
      kept: 3,
      ended: true,
      weighed: true,
    });
  });

  test('says of a text the same in CSV and in NDJSON, and runs no formula', async () => {
    const body = '=HYPERLINK("http://x.example","Hi")\n+1';
    await addSentTexts(ledger.database, ledger, { count: 1, body });
    const [csv, ndjson] = [await ask(), await ask({ format: 'ndjson' })];
    await run(csv);
    await run(ndjson);
    const [row = {}] = await readCsv(csv);
    const text = JSON.parse(await readFile(ndjson)) as Record<string, string | number | null>;
    expect(row['body']).toBe(`'${body}`);
    expect(text).toMatchObject({ body, priceMicros: '8300', segments: 1, errorCode: null });
    const { body: _csvBody, ...cells } = row;
    const { body: _jsonBody, ...values } = text;
    expect(Object.values(cells)).toEqual(Object.values(values).map((value) => String(value ?? '')));
    expect(row['created_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test('shows only the ends of people’s numbers to whoever may not see more', async () => {
    await addSentTexts(ledger.database, ledger, { count: 3 });
    const id = await ask({ fullNumbers: false });
    await run(id);
    const file = await readFile(id);
    expect(file).toContain(',***0001,+12125550101,');
    expect(file).not.toMatch(/\+12122/);
  });

  test('of nothing is a head in CSV, and an empty file in NDJSON', async () => {
    const [csv, ndjson] = [await ask(), await ask({ format: 'ndjson' })];
    expect(await run(csv)).toEqual({ state: 'finished', rows: 0 });
    expect(await run(ndjson)).toEqual({ state: 'finished', rows: 0 });
    expect([await readFile(csv), await readFile(ndjson)]).toEqual([exportHead('csv'), '']);
  });

  test('that nobody asked for is unknown', async () => {
    expect(await run(newId())).toEqual({ state: 'unknown', rows: 0 });
  });

  test('expects as many texts as the counters know', async () => {
    const { id: campaignId } = await ledger.addCampaign();
    for (const [kind, value, n] of [
      ['state', 'accepted', 4],
      ['state', 'planned', -1],
      ['reply', 'none', 2],
      ['delivery', 'delivered', 9],
    ]) {
      await ledger.database.query(
        `insert into counter_delta (org_id, campaign_id, kind, value, n) values ($1::uuid, $2::uuid, $3, $4, $5::int) returning 1 as done`,
        ledger.orgId,
        campaignId,
        kind,
        value,
        n,
      );
    }
    const expected = async (wish: ExportWish): Promise<number | null> => {
      const id = await ask(wish);
      await run(id);
      const [row] = await ledger.database.query<{ n: number | null }>(
        'select rows_expected::int as n from export where id = $1::uuid',
        id,
      );
      return row?.n ?? null;
    };
    expect(await expected({})).toBe(5);
    expect(await expected({ campaignId })).toBe(3);
    expect(await expected({ createdFrom: new Date(0) })).toBeNull();
  });
});

describe('an export holds only', () => {
  test('what there was when it was asked for', async () => {
    await addSentTexts(ledger.database, ledger, { count: 5 });
    const before = await ids('org_id = $1::uuid', ledger.orgId);
    const [clock] = await ledger.database.query<{ now: Date }>(
      `select max(created_at) as now from message where org_id = $1::uuid`,
      ledger.orgId,
    );
    const id = await ask({ createdAt: clock?.now ?? new Date() });
    // Made a second later, with ids that lie before and behind: a text's id bears the time of its cause.
    await addSentTexts(ledger.database, ledger, { count: 5 });
    await ledger.database.query(
      `update message set created_at = created_at + interval '1 s' where org_id = $1::uuid and not id = any($2::uuid[]) returning 1 as done`,
      ledger.orgId,
      before,
    );
    await run(id);
    expect((await readCsv(id)).map((row) => row['id'])).toEqual(before);
  });

  test('its own org’s texts, however far apart they lie', async () => {
    await addSentTexts(ledger.database, ledger, { count: 3 });
    const other = await createLedger(shared().database, shared().urls);
    await addSentTexts(ledger.database, other, { count: 51_000 });
    await addSentTexts(ledger.database, ledger, { count: 3 });
    const id = await ask();
    expect(await run(id)).toEqual({ state: 'finished', rows: 6 });
    const rows = await readCsv(id);
    expect(rows.map((row) => row['id'])).toEqual(await ids('org_id = $1::uuid', ledger.orgId));
  });

  test('the outbound texts of its campaign', async () => {
    const [one, two] = [await ledger.addCampaign(), await ledger.addCampaign()];
    await addSentTexts(ledger.database, ledger, { count: 20, campaignId: one.id });
    await addSentTexts(ledger.database, ledger, { count: 20, campaignId: two.id });
    await addReply('yes');
    const id = await ask({ campaignId: one.id });
    expect(await run(id)).toEqual({ state: 'finished', rows: 21 });
    const rows = await readCsv(id);
    expect(rows.map((row) => row['id'])).toEqual(await ids('campaign_id = $1::uuid', one.id));
  });

  test('texts from its first instant on and before its last', async () => {
    await addSentTexts(ledger.database, ledger, { count: 9 });
    await ledger.database.query(
      `update message m set created_at = timestamptz '2026-01-01T00:00:00Z' + n.n * interval '1 h'
         from (select id, row_number() over (order by id) as n from message where org_id = $1::uuid) n
        where m.id = n.id returning 1 as done`,
      ledger.orgId,
    );
    const id = await ask({
      createdFrom: new Date('2026-01-01T03:00:00Z'),
      createdTo: new Date('2026-01-01T06:00:00Z'),
    });
    await run(id);
    expect((await readCsv(id)).map((row) => row['created_at']?.slice(11, 13))).toEqual([
      '03',
      '04',
      '05',
    ]);
  });
});

describe('an export whose worker is killed', () => {
  test.each([
    [
      'after its second chunk was committed',
      () => {
        armFaultPoints([{ point: 'export.stored', action: 'fail', at: 2, share: 0 }], () => {});
        return ledger.database;
      },
    ],
    [
      'before its second chunk was written',
      () =>
        aroundChunk(2, async () => {
          throw new FaultError('killed');
        }),
    ],
  ])('%s goes on, and its file is the uninterrupted one to the byte', async (_, killing) => {
    await addSentTexts(ledger.database, ledger, { count: THREE_PAGES });
    const createdAt = new Date(Date.now() + 1_000);
    const [killed, whole] = [await ask({ createdAt }), await ask({ createdAt })];
    await run(whole);
    await expect(run(killed, killing())).rejects.toBeInstanceOf(FaultError);
    expect(await view(killed)).toMatchObject({ state: 'running', ended: false });
    expect(await run(killed)).toEqual({ state: 'finished', rows: THREE_PAGES });
    expect(await readFile(killed)).toBe(await readFile(whole));
    expect(await view(killed)).toEqual(await view(whole));
  });

  test('only to our mind goes on beside its successor, and writes nothing twice', async () => {
    await addSentTexts(ledger.database, ledger, { count: THREE_PAGES });
    const id = await ask();
    const ends = await Promise.all([run(id), run(id), run(id)]);
    expect(ends).toContainEqual({ state: 'finished', rows: THREE_PAGES });
    const rows = await readCsv(id);
    expect(rows.map((row) => row['id'])).toEqual(await ids('org_id = $1::uuid', ledger.orgId));
    expect(await view(id)).toMatchObject({ state: 'finished', chunks: 3, kept: 3, weighed: true });
  });
});

describe('an export that does not finish', () => {
  test('because it is cancelled stops after the page at hand, keeps nothing, and stays so', async () => {
    await addSentTexts(ledger.database, ledger, { count: THREE_PAGES });
    const id = await ask();
    const cancelling = aroundChunk(1, async (write) => {
      await ledger.database.query(
        'update export set cancel_requested = true where id = $1::uuid returning 1 as done',
        id,
      );
      return write();
    });
    const ended = { state: 'cancelled', rows: EXPORT_ROWS_A_CHUNK };
    expect(await run(id, cancelling)).toEqual(ended);
    expect(await view(id)).toMatchObject({ state: 'cancelled', chunks: 1, kept: 0, ended: true });
    expect(await run(id)).toEqual(ended);
  });

  test('because its data is refused fails with a problem, for good', async () => {
    await addSentTexts(ledger.database, ledger, { count: 1 });
    const id = await ask();
    const refusing = aroundChunk(1, async () => {
      throw Object.assign(new Error('the row holds +12125550123'), { code: '22021' });
    });
    expect(await run(id, refusing)).toMatchObject({ state: 'failed' });
    expect(await view(id)).toMatchObject({
      state: 'failed',
      problem: 'The file could not be stored (22021).',
      kept: 0,
    });
    expect(await run(id)).toMatchObject({ state: 'failed' });
  });

  test('because the database is away is tried again', async () => {
    const id = await ask();
    const away = aroundChunk(1, async () => {
      throw new Error('connection lost');
    });
    await expect(run(id, away)).rejects.toThrow('connection lost');
    expect(await run(id)).toMatchObject({ state: 'finished' });
  });
});

test('files of a week ago are removed, younger ones stay', async () => {
  await addSentTexts(ledger.database, ledger, { count: 3 });
  const [old, young] = [await ask(), await ask()];
  await run(old);
  await run(young);
  const age = (id: string, ago: string): Promise<unknown> =>
    ledger.database.query(
      'update export set finished_at = now() - $2::interval where id = $1::uuid returning 1 as done',
      id,
      ago,
    );
  await age(old, '7 days 1 minute');
  await age(young, '6 days 23 hours');
  await expireExports(ledger.database);
  expect(await view(old)).toMatchObject({ state: 'expired', kept: 0 });
  expect(await view(young)).toMatchObject({ state: 'finished', kept: 1 });
});
