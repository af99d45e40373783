import type { Database } from './client.ts';
import { RING_AGAIN, wakePools } from './wake.ts';
import { ACCOUNT_IS_ON, ACCOUNT_MAY_SEND } from './accounts.ts';

export interface PoolSender {
  readonly id: string;
  readonly e164: string;
  readonly registration_id: string | null;
  readonly segments_per_second: number;
  /** Whether urgent texts (replies, confirmations) of this sender are due. */
  readonly urgent: boolean;
  /** Whether so much of its work waits inside the provider that it begins nothing new; replies still go. */
  readonly crowded: boolean;
}

export interface CampaignLane {
  readonly id: string;
  readonly fence: number;
  readonly limited: boolean;
}

export interface PoolWork {
  readonly id: string;
  readonly account_id: string;
  readonly org_id: string;
  readonly senders: readonly PoolSender[];
  readonly campaigns: readonly CampaignLane[];
}

/** A sender rests while this many seconds of its work wait inside the provider, where no pause or stop can reach it. */
const MOST_INSIDE_S = 120;
/** Texts of which no report came for so long (minutes) are taken to have left the provider. */
const REPORTS_WITHIN_MIN = 10;

const CROWDED = `
  coalesce((select sum(l.taken - l.passed_on) from sender_load l
    where l.sender_id = s.id and l.minute > now() - interval '${REPORTS_WITHIN_MIN} minutes'), 0) >= s.segments_per_second * ${MOST_INSIDE_S}`;

/**
 * One text of a lane that is due, by its own index: without an order, a plan that is made while little is planned takes
 * any index of planned texts, and keeps to it when there are millions.
 */
export function anyDue({
  lane,
  order,
  since = 'now()',
}: {
  readonly lane: string;
  /** What its index begins with. */
  readonly order: string;
  readonly since?: string;
}): string {
  return `select 1 as found from message m where ${lane} and m.state = 'planned' and m.driver = 'pool' and m.due_at <= ${since}
           order by ${order}, m.due_at, m.id limit 1`;
}

/**
 * What is due for pools now: of each its usable senders, those of them with urgent rows, and the running
 * campaigns with due rows. Each question is one probe of a partial index.
 */
const WORK = `
select p.id, p.account_id, p.org_id,
  coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'e164', s.e164, 'registration_id', s.registration_id,
              'segments_per_second', s.segments_per_second::float8, 'crowded', ${CROWDED},
              'urgent', (${anyDue({ lane: 'm.sender_id = s.id', order: 'm.sender_id, m.priority' })}) is not null) order by s.id)
     from sender s where s.pool_id = p.id and (s.state = 'active' or (s.state = 'held' and s.held_until < now()))), '[]') as senders,
  coalesce((select jsonb_agg(jsonb_build_object('id', c.id, 'fence', c.fence, 'limited', c.segments_per_second is not null or c.finish_by is not null) order by c.id)
     from campaign c where c.pool_id = p.id and c.state = 'running'
      and (${anyDue({ lane: 'm.campaign_id = c.id and m.sender_id is null', order: 'm.campaign_id' })}) is not null), '[]') as campaigns
 from sender_pool p join provider_account a on a.id = p.account_id
where p.id = any($1::uuid[]) and ${ACCOUNT_MAY_SEND}`;

/** One for each pool; null while its account may not send at all. */
export async function findPoolWork(
  database: Database,
  poolIds: readonly string[],
): Promise<(PoolWork | null)[]> {
  const rows = await database.query<PoolWork>(WORK, poolIds);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return poolIds.map((id) => byId.get(id) ?? null);
}

/**
 * When the pool's next text is due; null when none is within a minute, or when its account is stopped. A
 * pool need not stay awake for tomorrow's texts: maintenance rings it when they are overdue.
 */
const NEXT_DUE = `
select min(due_at) filter (where due_at < now() + interval '60 s' and exists (
         select 1 from sender_pool p join provider_account a on a.id = p.account_id where p.id = $1::uuid and ${ACCOUNT_IS_ON})) as due_at
  from (
    select min(greatest(m.due_at, case when s.state = 'held' then s.held_until end)) as due_at from sender s, lateral (
        select due_at from message where sender_id = s.id and state = 'planned' and driver = 'pool' order by due_at limit 1) m
     where s.pool_id = $1::uuid and s.state <> 'stopped'
    union all
    select min(m.due_at) from campaign c, lateral (
        select due_at from message where campaign_id = c.id and state = 'planned' and driver = 'pool' and sender_id is null order by due_at, id limit 1) m
     where c.pool_id = $1::uuid and c.state = 'running') t`;

const WAIT_MS =
  'case when due_at is not null then greatest(0, extract(epoch from due_at - now()) * 1000)::int end';

const SLEEP = `
with next as (${NEXT_DUE}),
slept as (
  update sender_pool set awake = false where id = $1::uuid and (select due_at from next) is null returning id)
select ${WAIT_MS} as wait_ms from next`;

/** With a snapshot of its own: whoever planned while SLEEP waited for the row did not see it asleep. */
const STAY_AWAKE = `
with next as (${NEXT_DUE}),
woken as (update sender_pool set awake = true where id = $1::uuid and (select due_at from next) is not null returning id)
select ${WAIT_MS} as wait_ms from next`;

/**
 * Lets a pool fall asleep when no row is due within a minute, and looks once more after that. Returns null
 * when it fell asleep, else the milliseconds until its next row is due.
 */
export async function letPoolSleep(database: Database, poolId: string): Promise<number | null> {
  const [before] = await database.query<{ wait_ms: number | null }>(SLEEP, poolId);
  if (typeof before?.wait_ms === 'number') return before.wait_ms;
  const [after] = await database.query<{ wait_ms: number | null }>(STAY_AWAKE, poolId);
  return after?.wait_ms ?? null;
}

/** Gives a text that its conversation could not send now to the pool, and rings the pool. */
export async function handToPool(database: Database, messageId: string): Promise<boolean> {
  const rows = await database.query(
    `with m as (
       update message set driver = 'pool' where id = $1::uuid and state = 'planned' returning pool_id),
     ${wakePools('select pool_id from m')},
     o as (
       insert into outbox (kind, ref_id) select 'wake_pool', id from woken
       ${RING_AGAIN})
     select 1 as done from m`,
    messageId,
  );
  return rows.length > 0;
}

export interface SendableMessage {
  readonly id: string;
  readonly org_id: string;
  readonly state: string;
  readonly driver: string;
  readonly account_id: string;
  readonly pool_id: string | null;
  readonly sender_id: string | null;
  readonly sender: string | null;
  readonly campaign_id: string | null;
  readonly segments: number;
  readonly senders: readonly PoolSender[];
  readonly campaign_limited: boolean;
}

/** One planned text with the senders that could take it. */
export async function findSendable(
  database: Database,
  messageId: string,
): Promise<SendableMessage | null> {
  const [row] = await database.query<SendableMessage>(
    `select m.id, m.org_id, m.state::text as state, m.driver::text as driver, m.account_id, m.pool_id, m.sender_id, m.sender,
            m.campaign_id, m.segments,
            coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'e164', s.e164, 'registration_id', s.registration_id,
                 'segments_per_second', s.segments_per_second::float8, 'urgent', true, 'crowded', false) order by s.id) from sender s
               where not (m.purpose = 'campaign' and ${CROWDED}) and s.pool_id = m.pool_id and s.state = 'active' and (m.sender_id is null or s.id = m.sender_id)), '[]') as senders,
            exists (select 1 from campaign c where c.id = m.campaign_id and (c.segments_per_second is not null or c.finish_by is not null)) as campaign_limited
       from message m where m.id = $1::uuid`,
    messageId,
  );
  return row ?? null;
}
