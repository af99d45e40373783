import type { Database } from './client.ts';
import { wakePools } from './wake.ts';

/**
 * A text that its conversation was to send two minutes ago has lost its workflow (Temporal's store
 * is gone): the pool sends it instead. Also wakes pools that sleep on due work.
 */
export async function handOverStranded(database: Database): Promise<number> {
  const rows = await database.query(
    `with l as (
       select id from message where state = 'planned' and driver = 'conversation' and due_at < now() - interval '2 minutes'
        order by id limit 1000 for update skip locked),
     u as (update message m set driver = 'pool' from l where m.id = l.id returning m.pool_id),
     ${wakePools('select pool_id from u')},
     o as (
       insert into outbox (kind, ref_id) select 'wake_pool', id from woken order by id
       on conflict (kind, ref_id) do update set seq = outbox.seq + 1, available_at = now())
     select 1 as done from u`,
  );
  return rows.length;
}

/** Partitions for this month and the next three; expired idempotency keys. */
export async function housekeep(database: Database): Promise<void> {
  await database.query(`select ensure_partitions(now()::date, 4)::text as done`);
  await database.query(
    `delete from idempotency_key where created_at < now() - interval '3 days' returning 1 as done`,
  );
}
