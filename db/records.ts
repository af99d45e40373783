import type { Database } from './client.ts';
import { settleBudget } from './budgets.ts';
import { newId } from './ids.ts';
import { RING_AGAIN, wakePools } from './wake.ts';

/** What became of one claimed row. */
export interface SendRecord {
  readonly id: string;
  readonly attempt: number;
  /** `planned` is a definite no that may be tried again after `delayMs`. */
  readonly outcome: 'accepted' | 'planned' | 'rejected' | 'unknown';
  readonly providerMessageId: string | null;
  readonly errorCode: number | null;
  readonly reason: string | null;
  readonly delayMs: number;
}

/**
 * Records a batch of outcomes, fenced by (id, attempt): a record for a claim that is over changes
 * nothing, except that proof of a create heals a row given up as unknown or lost. Rows are locked in
 * id order (five deadlocks in 37 statements without). Writes the reply route, the provider's key,
 * counters, and an event for everything but a plain 201 and a POST that never started.
 * Measured: 100 rows 1.7 ms p50.
 */
const RECORD = `
with r as materialized (
  select * from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::uuid[])
    r(id, attempt, outcome, pid, code, reason, delay_ms, event_id)),
held as (
  select m.id, m.state, m.org_id, m.account_id, m.campaign_id from message m
   where m.id = any($1::uuid[]) order by m.id for update of m),
recorded as (
  update message m set
      state = r.outcome::message_state,
      provider_message_id = coalesce(r.pid, m.provider_message_id),
      accepted_at = case when r.outcome = 'accepted' then now() end,
      final_at = case when r.outcome in ('accepted', 'rejected') then now() end,
      error_code = r.code,
      reason = r.reason,
      due_at = case when r.outcome = 'planned' then now() + r.delay_ms * interval '1 ms' else m.due_at end,
      driver = case when r.outcome = 'planned' then 'pool' else m.driver end::message_driver,
      sender_id = case when r.outcome = 'planned' and m.purpose = 'campaign' then null else m.sender_id end,
      sender = case when r.outcome = 'planned' and m.purpose = 'campaign' then null else m.sender end,
      reconcile_at = case when r.outcome = 'unknown' then now() end
    from r join held h on h.id = r.id
   where m.id = r.id and m.attempt = r.attempt
     and (h.state = 'sending' or (r.outcome = 'accepted' and h.state in ('unknown', 'lost')))
  returning m.id, m.org_id, m.account_id, m.pool_id, m.campaign_id, m.conversation_id, m.sender, m.address,
            m.provider_message_id, m.state, h.state as was, m.error_code, m.reason, m.claimed_at, r.event_id,
            m.sender_id, m.segments, m.price_micros, m.currency),
${settleBudget('recorded')},
loaded as (
  insert into sender_load (sender_id, minute, taken)
  select sender_id, date_trunc('minute', now()), sum(segments) from recorded where state = 'accepted' group by 1 order by 1
  on conflict (sender_id, minute) do update set taken = sender_load.taken + excluded.taken),
keyed as (
  insert into provider_key (account_id, provider_message_id, message_id)
  select account_id, provider_message_id, id from recorded where state = 'accepted'
   order by account_id, provider_message_id on conflict do nothing),
routed as (
  insert into conversation_route (account_id, sender, address, org_id, conversation_id, last_out_at)
  select distinct on (account_id, sender, address) account_id, sender, address, org_id, conversation_id, coalesce(claimed_at, now())
    from recorded where state = 'accepted' and conversation_id is not null
   order by account_id, sender, address, id desc
  on conflict (account_id, sender, address) do update
     set conversation_id = excluded.conversation_id, last_out_at = excluded.last_out_at
   where conversation_route.last_out_at <= excluded.last_out_at),
events as (
  insert into provider_event (id, org_id, account_id, message_id, kind, provider_message_id, error_code, detail)
  select event_id, org_id, account_id, id, 'send_outcome', provider_message_id, error_code,
         jsonb_build_object('outcome', state, 'reason', reason)
    from recorded where (state <> 'accepted' or was <> 'sending') and not (state = 'planned' and error_code is null)),
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select org_id, campaign_id, 'state', value, sum(n) from (
      select org_id, campaign_id, state::text as value, count(*) as n from recorded group by 1, 2, 3
      union all select org_id, campaign_id, was::text, -count(*) from recorded group by 1, 2, 3) t
   where campaign_id is not null group by 1, 2, 4
  union all
  select org_id, campaign_id, 'error', error_code::text, count(*) from recorded
   where state = 'rejected' and error_code is not null and campaign_id is not null group by 1, 2, 4),
${wakePools(`select pool_id from recorded where state = 'planned'`)},
rung as (
  insert into outbox (kind, ref_id) select 'wake_pool', id from woken order by id
  ${RING_AGAIN})
select id, state::text as state from recorded`;

export async function recordOutcomes(
  database: Database,
  records: readonly SendRecord[],
): Promise<{ id: string; state: string }[]> {
  if (records.length === 0) return [];
  return database.query(
    RECORD,
    records.map((record) => record.id),
    records.map((record) => record.attempt),
    records.map((record) => record.outcome),
    records.map((record) => record.providerMessageId),
    records.map((record) => record.errorCode),
    records.map((record) => record.reason),
    records.map((record) => Math.round(record.delayMs)),
    records.map(() => newId()),
  );
}

/** What an error number says about a person: the number is dead, or a landline. */
export async function markContacts(
  database: Database,
  contactIds: readonly string[],
  state: 'invalid_number' | 'landline',
): Promise<void> {
  if (contactIds.length === 0) return;
  await database.query(
    `with l as (select id from contact where id = any($1::uuid[]) and state = 'active' order by id for update)
     update contact c set state = $2::contact_state, updated_at = now() from l where c.id = l.id returning 1 as done`,
    contactIds,
    state,
  );
}

/** Takes a sender out of use, or holds it for a while, with the reason. */
export async function setSenderState(
  database: Database,
  change: {
    readonly senderId: string;
    readonly state: 'held' | 'stopped';
    readonly reason: string;
    readonly heldMs: number | null;
  },
): Promise<void> {
  await database.query(
    `update sender set state = $2::sender_state, state_reason = $3,
            held_until = now() + $4::int * interval '1 ms'
      where id = $1::uuid and state <> 'stopped' returning 1 as done`,
    change.senderId,
    change.state,
    change.reason,
    change.heldMs,
  );
}

/** Stops everything of one account: its credentials or its standing are gone. */
export async function stopAccount(
  database: Database,
  accountId: string,
  reason: string,
): Promise<void> {
  await database.query(
    `update provider_account set state = 'stopped', state_reason = $2
      where id = $1::uuid and state = 'active' returning 1 as done`,
    accountId,
    reason,
  );
}
