import type { Database } from './client.ts';

/** The database's clock: what is compared with its rows must not come from that of one process. */
export async function readClock(database: Database): Promise<Date> {
  const [row] = await database.query<{ now: Date }>('select clock_timestamp() as now');
  if (row === undefined) throw new Error('the database has no clock');
  return row.now;
}

/** An outage longer than this (seconds) may hide a stop: claims close until the gap is filled. */
const GAP_AFTER_S = 10;

/** The last beat that somebody outside the database remembers, and of which server. */
export interface Beat {
  /** Which deployment; beside the mirror of another one, only a database that has sent nothing is trusted. */
  readonly uid: string;
  /** Raised by every recovery. */
  readonly epoch: number;
  readonly beatAt: Date;
  /** The Postgres cluster, by its system identifier. */
  readonly systemId: string;
  /** The cluster's timeline; a restore or a fail-over begins a new one. */
  readonly timeline: string;
}

export interface BeatResult {
  readonly beat: Beat;
  /** Whether an outage was noticed: accounts are closed until their gap is filled. */
  readonly gapNoticed: boolean;
  /** Why nothing is claimed; null when the database is what it should be. */
  readonly safeMode: SafeModeReason | null;
}

/** `older`: the database is behind its mirror. `moved`: it is another server, or another line of its history. */
export type SafeModeReason = 'older' | 'moved';

/**
 * Beats the deployment's heart, in one statement. When the last beat is older than ten seconds, Postgres or
 * every process was away: each account is closed to claims from that moment on, until its gap is filled. When
 * the database is behind what a mirror remembers, or is another one, it was restored: what was sent since is
 * missing from it, so nothing is claimed (safe mode) until `recover` has run. Beats never go back, whatever
 * the server's clock does.
 */
const BEAT = `
with was as (select * from deployment where id = 1 for update),
server as (
  select (select system_identifier::text from pg_control_system()) as system_id, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline),
judged as (
  select case
      -- A fresh database beside an old mirror has nothing to lose; one that has sent is another deployment's, or was made anew.
      when was.uid <> $1::uuid then case when exists (select from provider_key) then 'moved' end
      when was.epoch > $2::int then null
      when was.epoch < $2::int or was.beat_at < $3::timestamptz then 'older'
      when server.system_id <> $4 or server.timeline <> $5 then 'moved' end as problem
    from was, server),
noted as (
  update deployment d
     set beat_at = greatest(d.beat_at, clock_timestamp()),
         safe_mode_at = case when j.problem is null then d.safe_mode_at else coalesce(d.safe_mode_at, now()) end,
         safe_mode_reason = coalesce(d.safe_mode_reason, j.problem),
         safe_mode_beat_at = case when j.problem is null then d.safe_mode_beat_at else coalesce(d.safe_mode_beat_at, d.beat_at) end,
         safe_mode_last_beat_at = case when j.problem is null then d.safe_mode_last_beat_at else greatest(d.safe_mode_last_beat_at, $3::timestamptz) end
    from judged j where d.id = 1
  returning d.uid, d.epoch, d.beat_at, d.safe_mode_reason),
g as (
  update provider_account a set gap_since = coalesce(a.gap_since, was.beat_at), gap_noticed_at = now()
    from was where was.beat_at < clock_timestamp() - interval '${GAP_AFTER_S} s'
  returning a.id)
select n.uid, n.epoch, n.beat_at, n.safe_mode_reason, s.system_id, s.timeline, (select count(*)::int from g) as gaps from noted n, server s`;

/** `mirror` is what this process or a mirror outside the database remembers; null: nothing yet. */
export async function beat(database: Database, mirror: Beat | null): Promise<BeatResult> {
  const [row] = await database.query<{
    uid: string;
    epoch: number;
    beat_at: Date;
    safe_mode_reason: SafeModeReason | null;
    system_id: string;
    timeline: string;
    gaps: number;
  }>(
    BEAT,
    mirror?.uid ?? null,
    mirror?.epoch ?? null,
    mirror?.beatAt ?? null,
    mirror?.systemId ?? null,
    mirror?.timeline ?? null,
  );
  if (row === undefined) throw new Error('the database has no deployment row');
  return {
    beat: {
      uid: row.uid,
      epoch: row.epoch,
      beatAt: row.beat_at,
      systemId: row.system_id,
      timeline: row.timeline,
    },
    gapNoticed: row.gaps > 0,
    safeMode: row.safe_mode_reason,
  };
}

/** What a restored database does not know: everything after `since`, up to `until`. */
export interface LostSpan {
  readonly since: Date;
  readonly until: Date;
}

/** Since and until when texts may be missing from this database; null when it is not in safe mode. */
export async function findLostSpan(database: Database): Promise<LostSpan | null> {
  const [row] = await database.query<LostSpan>(
    `select safe_mode_beat_at as since, coalesce(safe_mode_last_beat_at, safe_mode_at) as until
       from deployment where id = 1 and safe_mode_at is not null`,
  );
  return row ?? null;
}

/** Whether nothing may be sent, planned or ended. */
export async function isInSafeMode(database: Database): Promise<boolean> {
  return (await findLostSpan(database)) !== null;
}

/** Notes for every account what may be missing of it, so that each is recovered by itself. */
export async function markAccountsLost(database: Database, lost: LostSpan): Promise<void> {
  await database.query(
    `update provider_account set lost_since = least(lost_since, $1::timestamptz), lost_until = greatest(lost_until, $2::timestamptz) returning 1 as done`,
    lost.since,
    lost.until,
  );
}

/** Accounts that wait for a recovery, with what may be missing of each. */
export async function listLostAccounts(
  database: Database,
): Promise<(LostSpan & { readonly id: string })[]> {
  return database.query(
    'select id, lost_since as since, lost_until as until from provider_account where lost_since is not null order by id limit 10000',
  );
}

/** Opens an account again of which everything is known. */
export async function markAccountRecovered(database: Database, accountId: string): Promise<void> {
  await database.query(
    'update provider_account set lost_since = null, lost_until = null where id = $1::uuid returning 1 as done',
    accountId,
  );
}

/** Puts the deployment into safe mode by hand, as of an instant; what a beat noted already stays. */
export async function enterSafeMode(database: Database, since: Date): Promise<void> {
  await database.query(
    `update deployment set safe_mode_at = coalesce(safe_mode_at, now()), safe_mode_reason = coalesce(safe_mode_reason, 'older'),
            safe_mode_beat_at = least(safe_mode_beat_at, $1::timestamptz), safe_mode_last_beat_at = coalesce(safe_mode_last_beat_at, now())
      where id = 1 returning 1 as done`,
    since,
  );
}

/** Ends safe mode: raises the epoch, so that older mirrors say nothing any more. Returns the new epoch. */
export async function leaveSafeMode(database: Database): Promise<number> {
  const [row] = await database.query<{ epoch: number }>(
    `update deployment set epoch = epoch + 1, beat_at = greatest(beat_at, clock_timestamp()), safe_mode_at = null, safe_mode_reason = null,
            safe_mode_beat_at = null, safe_mode_last_beat_at = null
      where id = 1 returning epoch`,
  );
  return row?.epoch ?? 0;
}
