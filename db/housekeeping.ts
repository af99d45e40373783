import type { Database } from './client.ts';
import { ACCOUNT_IS_ON } from './accounts.ts';
import { anyDue } from './pools.ts';
import { RING_AGAIN, wakePools } from './wake.ts';
import { skipRows } from './skipping.ts';

/**
 * A text that its conversation was to send two minutes ago has lost its workflow (Temporal's store
 * is gone): the pool sends it instead.
 */
export async function handOverStranded(database: Database): Promise<number> {
  const rows = await database.query(
    `with l as (
       select id from message where state = 'planned' and driver = 'conversation' and due_at < now() - interval '2 minutes'
        order by due_at limit 1000 for update skip locked),
     u as (update message m set driver = 'pool' from l where m.id = l.id returning m.pool_id),
     ${wakePools('select pool_id from u')},
     o as (
       insert into outbox (kind, ref_id) select 'wake_pool', id from woken order by id
       ${RING_AGAIN})
     select 1 as done from u`,
  );
  return rows.length;
}

const OVERDUE = `now() - interval '60 s'`;

/** Rings every pool whose work has been due for a minute: awake or not, somebody has to look. A probe each: EXISTS hashed all that is planned. */
export async function ringOverduePools(database: Database): Promise<number> {
  const rows = await database.query(
    `with late as (
       select p.id from sender_pool p join provider_account a on a.id = p.account_id
         left join lateral (
           select 1 as found from sender s cross join lateral (
             ${anyDue({ lane: 'm.sender_id = s.id', order: 'm.sender_id, m.priority', since: OVERDUE })}) m
            where s.pool_id = p.id and s.state = 'active' limit 1) s on true
         left join lateral (
           select 1 as found from campaign c cross join lateral (
             ${anyDue({ lane: 'm.campaign_id = c.id and m.sender_id is null', order: 'm.campaign_id', since: OVERDUE })}) m
            where c.pool_id = p.id and c.state = 'running' limit 1) c on true
        where ${ACCOUNT_IS_ON} and (s.found is not null or c.found is not null)
        order by p.id for update of p),
     u as (update sender_pool p set awake = true from late l where p.id = l.id)
     insert into outbox (kind, ref_id) select 'wake_pool', id from late
     ${RING_AGAIN} returning 1 as done`,
  );
  return rows.length;
}

/** Skips planned texts that nobody could send in time, and puts senders to use again whose hold is over. */
export async function expirePlanned(database: Database): Promise<number> {
  await database.query(
    `update sender set state = 'active', state_reason = null, held_until = null
      where state = 'held' and held_until < now() returning 1 as done`,
  );
  const rows = await database.query(
    `with l as (
       select id from message where state = 'planned' and not_after < now() order by not_after limit 2000 for update skip locked),
     ${skipRows({ picked: 'l', reason: `'window_closing'` })}
     select 1 as done from skipped`,
  );
  return rows.length;
}

/** Partitions for this month and the next three; expired idempotency keys and senders' loads. */
export async function housekeep(
  database: Database,
): Promise<{ readonly partitionsMade: number; readonly idempotencyKeysExpired: number }> {
  const before = await countPartitions(database);
  await database.query(`select ensure_partitions(now()::date, 4)::text as done`);
  const partitionsMade = (await countPartitions(database)) - before;
  const [expired] = await database.query<{ n: number }>(
    `with d as (delete from idempotency_key where created_at < now() - interval '3 days' returning 1)
     select count(*)::int as n from d`,
  );
  await database.query(
    `delete from sender_load where minute < now() - interval '1 hour' returning 1 as done`,
  );
  return { partitionsMade, idempotencyKeysExpired: expired?.n ?? 0 };
}

async function countPartitions(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `select count(*)::int as n from pg_inherits where inhparent in ('message'::regclass, 'provider_event'::regclass, 'audit_log'::regclass)`,
  );
  return row?.n ?? 0;
}
