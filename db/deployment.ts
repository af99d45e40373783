import type { Database } from './client.ts';

/** An outage longer than this (seconds) may hide a stop: claims close until the gap is filled. */
const GAP_AFTER_S = 10;

/**
 * Beats the deployment's heart. When the last beat is older than ten seconds, Postgres or every
 * process was away: each account is closed to claims from that moment on, until its gap is filled.
 * Returns whether a gap was noticed.
 */
export async function beat(database: Database): Promise<boolean> {
  const [row] = await database.query<{ gaps: number }>(
    `with was as (select beat_at from deployment where id = 1 for update),
     now_at as (update deployment set beat_at = clock_timestamp() where id = 1),
     g as (
       update provider_account a set gap_since = coalesce(a.gap_since, was.beat_at), gap_noticed_at = now()
         from was where was.beat_at < clock_timestamp() - interval '${GAP_AFTER_S} s'
       returning a.id)
     select count(*)::int as gaps from g`,
  );
  return (row?.gaps ?? 0) > 0;
}
