import type { MonthFacts, MonthState } from '../domain/retention.ts';
import type { Database } from './client.ts';

/** A monthly partition with what the rules of retention ask about it. */
export interface MonthRow extends MonthFacts {
  /** Its first day, `YYYY-MM-DD`, UTC. */
  readonly month: string;
  /** Some of the campaigns that keep it. */
  readonly campaignIds: readonly string[];
}

/** First instants of this and the next month, in UTC whatever the session's time zone is. */
const BEGINS = `(x.month at time zone 'UTC')`;
const ENDS = `((x.month + interval '1 month') at time zone 'UTC')`;

/**
 * Every month of texts and events that is still attached, or on its way out. Texts that are open and campaigns that are not over
 * are looked for only where the month is over since `overDays`: nothing else could be done with it.
 */
const LIST = `
with attached as (
  select p.relname as parent, to_date(substring(c.relname from '_(\\d{6})$'), 'YYYYMM') as month
    from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
   where p.relname in ('message', 'provider_event') and p.relnamespace = 'public'::regnamespace and c.relname ~ '_\\d{6}$'),
months as (
  select coalesce(a.parent, t.parent) as parent, coalesce(a.month, t.month)::timestamp as month, coalesce(a.state, 'attached') as state, a.detached_at
    from attached t full join archived_month a on a.parent = t.parent and a.month = t.month),
x as (
  select *, ((month + interval '1 month') at time zone 'UTC') < now() - $1::int * interval '1 day' as is_old from months where state <> 'dropped')
select x.parent, to_char(x.month, 'YYYY-MM-DD') as month, ${ENDS} as "endsAt", x.state, x.detached_at as "detachedAt",
       coalesce(o.n, 0) as "openCampaigns", coalesce(o.ids, '{}') as "campaignIds",
       x.is_old and x.parent = 'message' and x.state in ('attached', 'writing', 'written') and (
         exists (select from message m where m.state = 'planned' and m.id >= uuid_floor(${BEGINS}) and m.id < uuid_floor(${ENDS}))
         or exists (select from message m where m.state = 'sending' and m.id >= uuid_floor(${BEGINS}) and m.id < uuid_floor(${ENDS}))
         or exists (select from message m where m.state = 'unknown' and m.reconcile_at is not null and m.id >= uuid_floor(${BEGINS}) and m.id < uuid_floor(${ENDS}))) as "hasOpenTexts",
       (select count(*)::int from months t where t.parent = 'message' and t.month <= x.month and t.state <> 'dropped') as "undroppedMonths",
       exists (select from months t where t.parent = 'message' and t.month <= x.month and t.state in ('writing', 'written', 'detached', 'verified', 'dropping')) as "textsUnderWay"
  from x
  left join lateral (
    select count(*)::int as n, (array_agg(c.id::text order by c.launched_at))[1:10] as ids from campaign c
     where x.is_old and x.parent = 'message' and c.launched_at < ${ENDS}
       and (c.state not in ('finished', 'cancelled') or c.finished_at > now() - $1::int * interval '1 day')) o on true
 order by x.month, x.parent`;

/** Every month that is not gone, the oldest first. */
export async function listMonths(database: Database, overDays: number): Promise<MonthRow[]> {
  return database.query<MonthRow>(LIST, overDays);
}

/** How far the files of a month are. */
export interface MonthProgress {
  readonly month: string;
  readonly state: MonthState;
  readonly cursorId: string;
  readonly slices: number;
  /** The first id that no text of the month has, because the next month begins with it. */
  readonly endId: string;
}

const PROGRESS = `to_char(month, 'YYYY-MM-DD') as month, state, cursor_id as "cursorId", slices,
  uuid_floor((month + interval '1 month') at time zone 'UTC') as "endId"`;

/** Begins the files of a month; one that was begun stays as it is. */
export async function beginMonth(database: Database, month: string): Promise<void> {
  await database.query(
    `insert into archived_month (parent, month, state, cursor_id)
     values ('message', $1::date, 'writing', uuid_floor($1::date::timestamp at time zone 'UTC')) on conflict do nothing returning 1 as done`,
    month,
  );
}

export async function findMonth(database: Database, month: string): Promise<MonthProgress | null> {
  const [row] = await database.query<MonthProgress>(
    `select ${PROGRESS} from archived_month where parent = 'message' and month = $1::date`,
    month,
  );
  return row ?? null;
}

/** Says that every slice of a month is written, where that is so. */
export async function finishWriting(database: Database, month: string): Promise<void> {
  await database.query(
    `update archived_month set state = 'written', written_at = now()
      where parent = 'message' and month = $1::date and state = 'writing' and cursor_id = uuid_floor((month + interval '1 month') at time zone 'UTC')
     returning 1 as done`,
    month,
  );
}

/**
 * Says that the files of a detached month hold what it held, where every slice was compared. A campaign is archived with the
 * last of the months from its launch to its end.
 */
export async function finishVerifying(database: Database, month: string): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `with done as (
       update archived_month a set state = 'verified', verified_at = now(), texts = t.texts, bytes = t.bytes
         from (select coalesce(sum(texts), 0) as texts, coalesce(sum(bytes), 0) as bytes from archive_chunk where month = $1::date) t
        where a.parent = 'message' and a.month = $1::date and a.state = 'detached' and a.cursor_id = uuid_floor((a.month + interval '1 month') at time zone 'UTC')
       returning a.month),
     archived as (
       insert into campaign_archive (campaign_id, org_id)
       select c.id, c.org_id from done d
         join campaign c on c.launched_at < (d.month + interval '1 month') at time zone 'UTC' and c.finished_at >= d.month::timestamp at time zone 'UTC'
        where exists (select from archive_chunk k where k.campaign_id = c.id) and not exists (
          select from generate_series(date_trunc('month', c.launched_at at time zone 'UTC'), c.finished_at at time zone 'UTC', interval '1 month') m(month)
           where m.month <> d.month
             and not exists (select from archived_month a where a.parent = 'message' and a.month = m.month and a.state in ('verified', 'dropping', 'dropped')))
       on conflict do nothing returning 1)
     select count(*)::int as n from archived`,
    month,
  );
  return row?.n ?? 0;
}

/** Takes a month out of the ledger; see detach_month in the migrations. */
export async function detachMonth(
  database: Database,
  { parent, month }: Pick<MonthRow, 'parent' | 'month'>,
): Promise<'detached' | 'busy' | 'open'> {
  const [row] = await database.query<{ outcome: 'detached' | 'busy' | 'open' }>(
    'select detach_month($1, $2::date) as outcome',
    parent,
    month,
  );
  return row?.outcome ?? 'busy';
}

/** Begins the last comparison of a month with its files; one that was begun goes on. */
export async function beginDropping(database: Database, month: string): Promise<void> {
  await database.query(
    `update archived_month set state = 'dropping', cursor_id = uuid_floor(month::timestamp at time zone 'UTC')
      where parent = 'message' and month = $1::date and state = 'verified' returning 1 as done`,
    month,
  );
}

/** Removes the rows of a detached month whose grace is over, and of which every file was compared since then. */
export async function dropMonth(
  database: Database,
  { parent, month }: Pick<MonthRow, 'parent' | 'month'>,
  graceDays: number,
): Promise<'dropped' | 'busy'> {
  const [row] = await database.query<{ outcome: 'dropped' | 'busy' }>(
    'select drop_month($1, $2::date, $3::int) as outcome',
    parent,
    month,
    graceDays,
  );
  return row?.outcome ?? 'busy';
}
