/**
 * Ends an insert of doorbells: a workflow that waits to be rung already is rung once, but for what happened
 * now too, and at once.
 */
export const RING_AGAIN =
  'on conflict (kind, ref_id) do update set seq = outbox.seq + 1, available_at = now()';

/**
 * SQL that wakes sleeping pools: the CTEs `pools` and `woken`, for the pools in `source` (a query with
 * the column pool_id). Only pools in `woken` have to be rung.
 *
 * The row is locked before `awake` is read. Without the lock a pool could fall asleep between this
 * statement's snapshot and its commit: it would not see our texts, and we would not see it asleep.
 */
export function wakePools(source: string): string {
  return `pools as (
  select p.id, p.awake from sender_pool p where p.id in (${source}) order by p.id for update of p),
woken as (
  update sender_pool p set awake = true from pools l where p.id = l.id and not l.awake returning p.id)`;
}
