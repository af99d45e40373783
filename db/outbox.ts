import type { Database } from './client.ts';

export type OutboxKind =
  | 'wake_campaign'
  | 'wake_pool'
  | 'ring_conversation'
  | 'start_import'
  | 'start_export';

/** A doorbell that Temporal has not taken yet. */
export interface Doorbell {
  readonly kind: OutboxKind;
  readonly ref_id: string;
  readonly seq: number;
  /** The campaign of a conversation, so that operators can filter by it. */
  readonly campaign_id: string | null;
}

/** How long a relay may take over one doorbell before another may ring it again, in seconds. */
const RING_AGAIN_S = 10;

/** Takes up to `limit` due doorbells for this relay; one that dies leaves them to be rung again. */
export async function takeDoorbells(database: Database, limit: number): Promise<Doorbell[]> {
  return database.query<Doorbell>(
    `with l as (
       select kind, ref_id from outbox where available_at <= now() order by available_at limit $1::int for update skip locked)
     update outbox o set available_at = now() + interval '${RING_AGAIN_S} s', attempts = o.attempts + 1
       from l where o.kind = l.kind and o.ref_id = l.ref_id
     returning o.kind::text as kind, o.ref_id, o.seq,
       case when o.kind = 'ring_conversation' then (select c.campaign_id from conversation c where c.id = o.ref_id) end as campaign_id`,
    limit,
  );
}

/** Deletes doorbells that Temporal took, unless somebody rang again meanwhile: those are due at once. */
export async function finishDoorbells(
  database: Database,
  rung: readonly Doorbell[],
): Promise<void> {
  if (rung.length === 0) return;
  await database.query(
    `with r as (select * from unnest($1::text[], $2::uuid[], $3::int[]) r(kind, ref_id, seq)),
     l as (
       select o.kind, o.ref_id, o.seq = r.seq as done from outbox o join r on r.kind = o.kind::text and r.ref_id = o.ref_id
        order by o.kind, o.ref_id for update of o),
     again as (
       update outbox o set available_at = now() from l where o.kind = l.kind and o.ref_id = l.ref_id and not l.done)
     delete from outbox o using l where o.kind = l.kind and o.ref_id = l.ref_id and l.done returning 1 as done`,
    rung.map((bell) => bell.kind),
    rung.map((bell) => bell.ref_id),
    rung.map((bell) => bell.seq),
  );
}

/**
 * After Temporal's store was lost: rings every workflow that the rows say should be waiting. A ring
 * too many does nothing.
 */
export async function ringEverything(database: Database): Promise<number> {
  const rows = await database.query(
    `insert into outbox (kind, ref_id)
     select kind, id from (
       select 'wake_campaign'::outbox_kind as kind, id from campaign c where state in ('launched', 'running', 'paused')
          or (state = 'cancelled' and exists (select 1 from message m where m.campaign_id = c.id and m.state = 'planned'))
       union all select 'wake_pool', id from sender_pool where awake
       union all select 'ring_conversation', id from conversation where kind = 'campaign' and (state = 'automatic' or handled_seq < arrival_seq)
       union all select 'start_import', id from import where state in ('queued', 'running')
       union all select 'start_export', id from export where state in ('queued', 'running')) w
      order by kind, id
     on conflict (kind, ref_id) do nothing returning 1 as done`,
  );
  return rows.length;
}
