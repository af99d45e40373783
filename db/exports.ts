import type { ExportedMessage } from '../domain/message-export.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import {
  asJsonArray,
  LINES_AS_MESSAGES,
  readArchivedAfter,
  type Archives,
} from './archived-texts.ts';
import { iso } from './campaign-views.ts';
import type { Database } from './client.ts';

/** Texts that one chunk of a file holds at most. */
export const EXPORT_ROWS_A_CHUNK = 2_000;
/** Rows that one statement looks at to find them, where most belong to others or to another time. */
const ROWS_LOOKED_AT = 50_000;
/** How long a file can be fetched. */
export const EXPORT_KEPT_DAYS = 7;
/** Files that one round of housekeeping removes; one of a million texts is some hundred megabytes. */
const EXPIRED_A_ROUND = 5;

export interface ExportRow {
  readonly id: string;
  readonly org_id: string;
  readonly format: 'csv' | 'ndjson';
  readonly campaign_id: string | null;
  readonly created_from: Date | null;
  readonly created_to: Date | null;
  readonly full_numbers: boolean;
  readonly state: string;
  readonly cursor_id: string;
  readonly rows_done: bigint;
  readonly chunks: number;
  readonly cancel_requested: boolean;
  readonly created_at: Date;
}

const ROW = `e.id, e.org_id, e.format, e.campaign_id, e.created_from, e.created_to, e.full_numbers, e.state::text as state, e.cursor_id,
  e.rows_done, e.chunks, e.cancel_requested, e.created_at`;

export async function findExport(database: Database, exportId: string): Promise<ExportRow | null> {
  const [row] = await database.query<ExportRow>(
    `select ${ROW} from export e where e.id = $1::uuid`,
    exportId,
  );
  return row ?? null;
}

/**
 * Begins (or, after a crash, goes on with) an export; null once it has ended. How many texts to expect is added up from
 * counters, which know neither when a text was made nor those without a campaign.
 */
export async function startExport(database: Database, exportId: string): Promise<ExportRow | null> {
  const [row] = await database.query<ExportRow>(
    `update export e set state = 'running', started_at = coalesce(started_at, now()),
            rows_expected = case when created_from is null and created_to is null then coalesce(rows_expected, (
              select sum(t.n) from campaign c cross join lateral (
                select n from counter where campaign_id = c.id and kind = any(k.kinds)
                 union all select n from counter_delta where campaign_id = c.id and kind = any(k.kinds)) t
               where c.org_id = e.org_id and (e.campaign_id is null or c.id = e.campaign_id))) end
       from (select case when x.campaign_id is null then '{state,reply}' else '{state}' end::text[] as kinds
               from export x where x.id = $1::uuid) k
      where e.id = $1::uuid and e.state in ('queued', 'running') returning ${ROW}`,
    exportId,
  );
  return row ?? null;
}

/** Ends an export; only a finished one keeps its file. */
export async function endExport(
  database: Database,
  end: {
    readonly exportId: string;
    readonly state: 'finished' | 'failed' | 'cancelled';
    readonly problem: string | null;
  },
): Promise<void> {
  await database.query(
    `with e as (
       update export set state = $2::export_state, problem = $3, finished_at = now()
        where id = $1::uuid and state in ('queued', 'running') returning id),
     dropped as (
       delete from export_chunk c using e where c.export_id = e.id and $2 <> 'finished')
     select 1 as done from e`,
    end.exportId,
    end.state,
    end.problem,
  );
}

/** What lies behind the cursor of an export. */
export interface ExportPage {
  readonly messages: readonly ExportedMessage[];
  /** The last row looked at. */
  readonly cursor: string;
  readonly isLast: boolean;
}

const MESSAGE = `m.id, m.campaign_id as "campaignId", m.conversation_id as "conversationId", m.direction, m.purpose, m.address, m.sender, m.body,
  m.segments, m.state, m.reason, m.delivery, m.error_code as "errorCode", m.provider_message_id as "providerMessageId",
  ${iso('m.created_at')} as "createdAt", ${iso('m.due_at')} as "dueAt", ${iso('m.accepted_at')} as "acceptedAt", ${iso('m.final_at')} as "finalAt",
  m.price_micros::text as "priceMicros", m.currency`;

/**
 * Looks at a bounded number of rows in the order of their ids, all orgs' or those of one campaign, and keeps the export's.
 * What was made after the export is left out by when it was made: ids bear the time of their cause, which may be earlier.
 * The page is one text of JSON: as rows and columns, a million texts are twenty million values on their way here.
 */
function pageOf(campaign: boolean): string {
  const scope = campaign ? `m.campaign_id = $6::uuid and m.direction = 'outbound' and` : '';
  const lookedAt = (columns: string): string =>
    `select ${columns} from message m where ${scope} m.id > $2::uuid order by m.id limit ${ROWS_LOOKED_AT}`;
  return `
with page as materialized (
  select * from (${lookedAt('m.*')}) w
   where w.org_id = $1::uuid and w.created_at <= $3::timestamptz
     and ($4::timestamptz is null or w.created_at >= $4) and ($5::timestamptz is null or w.created_at < $5)
   order by w.id limit ${EXPORT_ROWS_A_CHUNK}),
lines as (select ${MESSAGE} from page m),
full_page as (select id from page order by id offset ${EXPORT_ROWS_A_CHUNK - 1} limit 1),
looked_at as (
  select count(*) as n, (array_agg(id))[count(*)] as last from (${lookedAt('m.id')}) w
   where not exists (select 1 from full_page))
select coalesce((select json_agg(l order by l.id) from lines l), '[]')::text as messages,
       coalesce((select id from full_page), t.last, $2::uuid) as cursor,
       not exists (select 1 from full_page) and t.n < ${ROWS_LOOKED_AT} as "isLast"
  from looked_at t`;
}

const PAGE = pageOf(false);
const CAMPAIGN_PAGE = pageOf(true);

/**
 * The next page of an export, archived texts among the others in the order of ids; changes nothing. Either side says up to which
 * id it is complete, and the page ends where the first of them does. The ledger is read first: what leaves it meanwhile is found in
 * the archive.
 */
export async function readExportPage(
  database: Database,
  row: ExportRow,
  storage: ObjectStorage,
): Promise<ExportPage> {
  const ledger = await readLedgerPage(database, row);
  const archives = { reader: asOrg(database, row.org_id), storage };
  const slice = await readArchivedAfter(archives, row.cursor_id, row.campaign_id);
  if (slice === null) return ledger;
  const [archived] = await database.query<{ messages: string }>(
    `select coalesce(json_agg(l order by l.id), '[]')::text as messages from (
       select ${MESSAGE} from ${LINES_AS_MESSAGES} m where m.id > $2::uuid and m.created_at <= $3::timestamptz
          and ($4::timestamptz is null or m.created_at >= $4) and ($5::timestamptz is null or m.created_at < $5)
          and ($6::uuid is null or m.direction = 'outbound')) l`,
    asJsonArray(slice.lines),
    row.cursor_id,
    row.created_at,
    row.created_from,
    row.created_to,
    row.campaign_id,
  );
  const isLedgerShorter = !ledger.isLast && ledger.cursor < slice.toId;
  const cursor = isLedgerShorter ? ledger.cursor : slice.toId;
  const both = [
    ...ledger.messages,
    ...(JSON.parse(archived?.messages ?? '[]') as ExportedMessage[]),
  ];
  const messages = [...new Map(both.map((message) => [message.id, message])).values()]
    .filter((message) => message.id <= cursor)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { messages, cursor, isLast: false };
}

/** The engine reading for one org; what it reads of archives names the org. */
function asOrg(database: Database, orgId: string): Archives['reader'] {
  return {
    orgId,
    query: <Row>(sql: string, ...parameters: readonly unknown[]) =>
      database.query<Row>(sql, ...parameters),
  };
}

/** Whether the texts of a campaign were purged, or are to be. */
export async function isPurged(database: Database, campaignId: string): Promise<boolean> {
  const rows = await database.query(
    'select 1 from campaign_archive where campaign_id = $1::uuid and purge_asked_at is not null',
    campaignId,
  );
  return rows.length > 0;
}

async function readLedgerPage(database: Database, row: ExportRow): Promise<ExportPage> {
  const [page] = await readInOrder<{ messages: string; cursor: string; isLast: boolean }>(
    database,
    row.campaign_id === null ? PAGE : CAMPAIGN_PAGE,
    [
      row.org_id,
      row.cursor_id,
      row.created_at,
      row.created_from,
      row.created_to,
      ...(row.campaign_id === null ? [] : [row.campaign_id]),
    ],
  );
  if (page === undefined) throw new Error('could not read a page of an export');
  return { ...page, messages: JSON.parse(page.messages) as ExportedMessage[] };
}

/**
 * Reads by an index in its order, whatever the statistics say. A campaign may be an hour old and unknown to them, and a plan
 * for "some hundred rows" collects and sorts the whole of it for every page: 302,000 buffers against 2,027 at 300,000 texts.
 */
async function readInOrder<Row>(
  { prisma }: Database,
  sql: string,
  parameters: readonly unknown[],
): Promise<Row[]> {
  const [, rows] = await prisma.$transaction([
    prisma.$queryRaw`select set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true),
      set_config('enable_sort', 'off', true)`,
    prisma.$queryRawUnsafe<Row[]>(sql, ...parameters),
  ]);
  return rows;
}

/**
 * Writes a page's bytes as the next chunk and moves the cursor, in one statement, and only where the cursor still stands where
 * the page began: the file of a killed worker's successor is the same to the byte. Null where somebody else moved it.
 */
export async function writeExportChunk(
  database: Database,
  {
    row,
    page,
    data,
  }: { readonly row: ExportRow; readonly page: ExportPage; readonly data: Buffer },
): Promise<ExportRow | null> {
  const [moved] = await database.query<ExportRow>(
    `with e as (
       update export set cursor_id = $4::uuid, rows_done = rows_done + $5::int, bytes = bytes + length($6::bytea),
              chunks = chunks + case when length($6::bytea) > 0 then 1 else 0 end
        where id = $1::uuid and state = 'running' and chunks = $2::int and cursor_id = $3::uuid returning *),
     c as (
       insert into export_chunk (export_id, n, org_id, data)
       select id, chunks - 1, org_id, $6::bytea from e where length($6::bytea) > 0)
     select ${ROW} from e`,
    row.id,
    row.chunks,
    row.cursor_id,
    page.cursor,
    page.messages.length,
    data,
  );
  return moved ?? null;
}

/** Removes the files of exports that ended too long ago; returns of how many. */
export async function expireExports(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `with e as (
       update export set state = 'expired' where id in (
         select id from export where state = 'finished' and finished_at < now() - interval '${EXPORT_KEPT_DAYS} days'
          order by finished_at limit ${EXPIRED_A_ROUND} for update skip locked) returning id),
     d as (delete from export_chunk c using e where c.export_id = e.id)
     select count(*)::int as n from e`,
  );
  return row?.n ?? 0;
}
