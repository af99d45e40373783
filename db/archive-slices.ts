import type { Database } from './client.ts';
import type { MonthProgress } from './archive-months.ts';
import { causeId } from './ids.ts';

/** Texts that one slice of a month holds at most when it is first written. */
export const ARCHIVE_TEXTS_A_SLICE = 2_000;

/** The texts of one campaign, or of none, in one slice: a file, and what the manifest says of it. */
export interface SliceGroup {
  readonly org_id: string;
  readonly campaign_id: string | null;
  readonly first_id: string;
  readonly last_id: string;
  readonly texts: number;
  readonly events: number;
  readonly states: readonly string[];
  /** A JSON object a text and line: all columns of the text, and its events. */
  readonly lines: string;
  /** JSON: conversations, each with its last campaign text. */
  readonly talks: string;
  /** JSON: what a report counts. */
  readonly summary: string;
}

/** A file that the manifest names. */
export interface KnownFile {
  readonly key: string;
  readonly sha256: string;
}

export interface Slice {
  /** What the manifest says of its groups, in their order; null: nothing yet. */
  readonly known: readonly (KnownFile | null)[];
  readonly n: number;
  readonly afterId: string;
  /** The last id that the slice may hold. */
  readonly toId: string;
  readonly groups: readonly SliceGroup[];
}

/** A text as reports count it; `m` is the text. */
export const REJECT_OF = `case when m.state = 'rejected' then coalesce(m.error_code::text, m.reason, 'unknown') end`;
export const IS_FIRST_TEXT = `m.purpose = 'campaign' and m.try = 1 and m.wave = 0`;

/**
 * The texts of a slice by campaign, a file each. Events of a text are younger than its month's first day. The same rows give
 * the same lines to the byte: columns in their order, rows and events by id, times in UTC. (json_agg would break lines.)
 */
function sliceOf(source: string): string {
  return `
with page as materialized (
  select * from ${source} where id > $1::uuid and id <= $2::uuid order by id limit $3::int),
noted as materialized (
  select message_id, ('[' || string_agg(row_to_json(e)::text, ',' order by e.id) || ']')::json as events, count(*)::int as n from provider_event e
   where e.message_id = any (array(select id from page)) and e.id >= uuid_floor($4::date::timestamp at time zone 'UTC' - interval '1 day') group by 1),
m as (
  select p.*, coalesce(e.n, 0) as events, json_build_object('message', p, 'events', coalesce(e.events, '[]'))::text as line,
         p.direction = 'outbound' and p.purpose = 'campaign' as is_campaign_text
    from page p left join noted e on e.message_id = p.id),
talks as (
  select org_id, campaign_id, json_agg(json_build_object('conversation_id', conversation_id, 'message_id', message_id, 'try', try, 'state', state,
           'delivery', delivery, 'reason', reason, 'error_code', error_code, 'segments', segments) order by conversation_id)::text as talks
    from (select distinct on (org_id, campaign_id, conversation_id) org_id, campaign_id, conversation_id,
                 case when is_campaign_text then id end as message_id, case when is_campaign_text then try end as try,
                 case when is_campaign_text then state end as state, case when is_campaign_text then delivery end as delivery,
                 case when is_campaign_text then reason end as reason, case when is_campaign_text then error_code end as error_code,
                 case when is_campaign_text then segments end as segments
            from m where conversation_id is not null
           order by org_id, campaign_id, conversation_id, is_campaign_text desc, m.try desc, m.id desc) t
   group by 1, 2),
counts as (
  select org_id, campaign_id, json_agg(json_build_object('state', state, 'reject', reject, 'first', first, 'n', n, 'segments', segments)
           order by state, reject, first) as texts
    from (select org_id, campaign_id, state::text as state, ${REJECT_OF} as reject, ${IS_FIRST_TEXT} as first, count(*) as n, coalesce(sum(segments), 0) as segments
            from m where direction = 'outbound' group by 1, 2, 3, 4, 5) t group by 1, 2),
costs as (
  select org_id, campaign_id, json_agg(json_build_object('currency', currency, 'spent', spent, 'reserved', reserved) order by currency) as costs
    from (select org_id, campaign_id, currency, coalesce(sum(price_micros) filter (where state = 'accepted'), 0) as spent,
                 coalesce(sum(price_micros) filter (where state = 'unknown'), 0) as reserved
            from m where direction = 'outbound' and currency is not null group by 1, 2, 3) t group by 1, 2),
doubtful as (
  select org_id, campaign_id, json_agg(json_build_object('id', id, 'claimed_at', claimed_at, 'looks', reconcile_looks) order by id) as doubtful
    from (select *, row_number() over (partition by org_id, campaign_id order by id) as nth from m where direction = 'outbound' and state = 'unknown') t
   where nth <= 100 group by 1, 2),
files as (
  select org_id, campaign_id, (array_agg(id order by id))[1] as first_id, (array_agg(id order by id desc))[1] as last_id, count(*)::int as texts,
         sum(events)::int as events, array_agg(distinct state::text) as states, string_agg(line || E'\\n', '' order by id) as lines
    from m group by 1, 2)
select f.*, coalesce(t.talks, '[]') as talks,
       json_build_object('texts', coalesce(c.texts, '[]'), 'costs', coalesce(p.costs, '[]'), 'doubtful', coalesce(d.doubtful, '[]'))::text as summary,
       (select count(*)::int from page) as "inPage"
  from files f
  left join talks t on t.org_id = f.org_id and t.campaign_id is not distinct from f.campaign_id
  left join counts c on c.org_id = f.org_id and c.campaign_id is not distinct from f.campaign_id
  left join costs p on p.org_id = f.org_id and p.campaign_id is not distinct from f.campaign_id
  left join doubtful d on d.org_id = f.org_id and d.campaign_id is not distinct from f.campaign_id
 order by f.org_id, f.campaign_id`;
}

/** The next slice of a month that is being written: at most so many texts, or all that is left. */
export async function readNextSlice(database: Database, month: MonthProgress): Promise<Slice> {
  const groups = await readGroups(database, 'message', {
    month: month.month,
    afterId: month.cursorId,
    toId: month.endId,
    limit: ARCHIVE_TEXTS_A_SLICE,
  });
  const isFull = (groups[0]?.inPage ?? 0) === ARCHIVE_TEXTS_A_SLICE;
  const last = groups
    .map((group) => group.last_id)
    .toSorted()
    .at(-1);
  const toId = isFull && last !== undefined ? last : month.endId;
  return { n: month.slices, afterId: month.cursorId, toId, groups, known: groups.map(() => null) };
}

/** The next slice of a month that was written and is detached, as its rows are now and stay; before the drop without what was purged. */
export async function readDetachedSlice(database: Database, month: MonthProgress): Promise<Slice> {
  const files = await database.query<
    KnownFile & { n: number; to_id: string; place: string; is_purged: boolean }
  >(
    `with next as (select n from archive_chunk where month = $1::date and to_id > $2::uuid order by to_id limit 1)
     select n, to_id, key, sha256, org_id || '/' || coalesce(campaign_id::text, '') as place, purge_at is not null as is_purged
       from archive_chunk where month = $1::date and n = (select n from next)`,
    month.month,
    month.cursorId,
  );
  const [written] = files;
  const known = new Map(files.map((file) => [file.place, file]));
  const toId = written?.to_id ?? month.endId;
  const source = `detached.message_${month.month.slice(0, 7).replace('-', '')}`;
  const groups = await readGroups(database, source, {
    month: month.month,
    afterId: month.cursorId,
    toId,
    // Rows that came since are in their slice, however many.
    limit: 1_000_000,
  });
  const knownOf = (group: SliceGroup) => known.get(`${group.org_id}/${group.campaign_id ?? ''}`);
  // What was purged since it was verified is not written again.
  const left = groups.filter(
    (group) => month.state !== 'dropping' || knownOf(group)?.is_purged !== true,
  );
  return {
    n: written?.n ?? month.slices,
    afterId: month.cursorId,
    toId,
    groups: left,
    known: left.map((group) => knownOf(group) ?? null),
  };
}

/** Reads in a transaction that names its time zone, because times are part of the bytes. */
async function readGroups(
  { prisma }: Database,
  source: string,
  range: {
    readonly month: string;
    readonly afterId: string;
    readonly toId: string;
    readonly limit: number;
  },
): Promise<(SliceGroup & { readonly inPage: number })[]> {
  const [, groups] = await prisma.$transaction([
    prisma.$queryRaw`select set_config('TimeZone', 'UTC', true)`,
    prisma.$queryRawUnsafe<(SliceGroup & { readonly inPage: number })[]>(
      sliceOf(source),
      range.afterId,
      range.toId,
      range.limit,
      range.month,
    ),
  ]);
  return groups;
}

/** What is known of a file once it is stored. */
export interface StoredGroup {
  readonly group: SliceGroup;
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * The key of a file: of the same lines always the same, and of other lines another. So no file is ever replaced by different lines,
 * whatever a worker that is believed dead still writes.
 */
export function chunkKey(
  group: SliceGroup,
  place: { readonly month: string; readonly n: number; readonly sha256: string },
): string {
  return `${chunkPlace(group, place)}-${place.sha256.slice(0, 16)}${ENDING}`;
}

const ENDING = '.ndjson.gz';

/** Which part of a slice a file is, whatever its lines are. */
function chunkPlace(
  { org_id, campaign_id }: Pick<SliceGroup, 'org_id' | 'campaign_id'>,
  { month, n }: { readonly month: string; readonly n: number },
): string {
  return `${chunkPrefix(org_id, campaign_id)}${month.slice(0, 7)}/${String(n).padStart(6, '0')}`;
}

/** What the keys of all files of a campaign, or of an org's texts without one, begin with. */
export function chunkPrefix(orgId: string, campaignId: string | null): string {
  return `${orgId}/${campaignId ?? 'none'}/`;
}

/**
 * Writes the manifest of a slice and moves the cursor behind it, in one statement, and only where the cursor still stands where
 * the slice begins. False where somebody else moved it. A slice that is written again replaces what was said of it.
 */
export async function noteSlice(
  database: Database,
  month: MonthProgress,
  { slice, stored }: { readonly slice: Slice; readonly stored: readonly StoredGroup[] },
): Promise<boolean> {
  const rows = await database.query(
    `with moved as (
       update archived_month set cursor_id = $4::uuid, slices = greatest(slices, $3::int + 1)
        where parent = 'message' and month = $1::date and state = $5 and cursor_id = $2::uuid returning month),
     f as (
       select f.* from moved cross join jsonb_to_recordset($6::jsonb) f(id uuid, org_id uuid, campaign_id uuid, first_id uuid, last_id uuid, key text,
         texts int, events int, bytes int, sha256 text, states text[], summary jsonb, talks jsonb)),
     chunks as (
       insert into archive_chunk (id, org_id, month, n, campaign_id, after_id, to_id, first_id, last_id, key, texts, events, bytes, sha256, states, summary, purge_at)
       select id, org_id, $1::date, $3::int, campaign_id, $2::uuid, $4::uuid, first_id, last_id, key, texts, events, bytes, sha256, states, summary,
              (select p.purge_asked_at from campaign_archive p where p.campaign_id = f.campaign_id) from f
       on conflict (id) do update set key = excluded.key, first_id = excluded.first_id, last_id = excluded.last_id, texts = excluded.texts, events = excluded.events,
          bytes = excluded.bytes, sha256 = excluded.sha256, states = excluded.states, summary = excluded.summary
        where archive_chunk.sha256 <> excluded.sha256),
     talks as (
       insert into archived_conversation (conversation_id, chunk_id, org_id, message_id, try, state, delivery, reason, error_code, segments)
       select t.conversation_id, f.id, f.org_id, t.message_id, t.try, t.state, t.delivery, t.reason, t.error_code, t.segments
         from f cross join jsonb_to_recordset(f.talks) t(conversation_id uuid, message_id uuid, try int, state text, delivery text, reason text, error_code int, segments int)
       on conflict (conversation_id, chunk_id) do update set message_id = excluded.message_id, try = excluded.try, state = excluded.state,
          delivery = excluded.delivery, reason = excluded.reason, error_code = excluded.error_code, segments = excluded.segments
        where (archived_conversation.message_id, archived_conversation.state, archived_conversation.delivery, archived_conversation.reason, archived_conversation.error_code)
              is distinct from (excluded.message_id, excluded.state, excluded.delivery, excluded.reason, excluded.error_code))
     select 1 as done from moved`,
    month.month,
    slice.afterId,
    slice.n,
    slice.toId,
    month.state,
    JSON.stringify(
      stored.map(({ group, key, bytes, sha256 }) => ({
        // As when it was the key: months that were begun then go on.
        id: causeId(
          0,
          'archive',
          `${chunkPlace(group, { month: month.month, n: slice.n })}${ENDING}`,
        ),
        org_id: group.org_id,
        campaign_id: group.campaign_id,
        first_id: group.first_id,
        last_id: group.last_id,
        key,
        texts: group.texts,
        events: group.events,
        bytes,
        sha256,
        states: group.states,
        summary: JSON.parse(group.summary) as unknown,
        talks: JSON.parse(group.talks) as unknown,
      })),
    ),
  );
  return rows.length === 1;
}
