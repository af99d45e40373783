import type { Database } from './client.ts';
import { settleBudget } from './budgets.ts';
import { countRows } from './counting.ts';
import { RING_AGAIN, wakePools } from './wake.ts';

/**
 * Takes over rows that are still `sending` after their lease: whoever claimed them can no longer
 * POST (its right ended long before), so what happened is unknown.
 */
const EXPIRE = `
with l as (
  select id from message where state = 'sending' and lease_until < now() order by id limit 500 for update skip locked),
u as (
  update message m set state = 'unknown', reason = 'no_answer_recorded', reconcile_at = now() from l where m.id = l.id
  returning m.org_id, m.campaign_id),
d as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  ${countRows('u', [
    ['state', `'sending'`, -1],
    ['state', `'unknown'`, 1],
  ])})
select count(*)::int as n from u`;

export async function expireLeases(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>(EXPIRE);
  return row?.n ?? 0;
}

export interface UnknownText {
  readonly id: string;
  readonly org_id: string;
  readonly account_id: string;
  readonly address: string;
  /** Null where it was planned, and not claimed, when its database was restored. */
  readonly sender: string | null;
  readonly body: string;
  readonly claimed_at: Date;
  readonly lease_until: Date;
  /** By the clock that wrote `lease_until`, before any list is read for it. */
  readonly taken_at: Date;
  readonly reconcile_reads: number;
  readonly policy: 'at_most_once' | 'confirmed_absent' | 'at_least_once';
}

/**
 * Unknown texts whose next look-up is due; postpones each at once. After forty looks nobody looks any more:
 * the row stays `unknown`, open to a late report.
 */
export async function takeUnknown(
  database: Database,
  take: { readonly limit: number; readonly backoffMs: number },
): Promise<UnknownText[]> {
  return database.query<UnknownText>(
    `with l as (
       select id from message where state = 'unknown' and reconcile_at <= now() order by reconcile_at limit $1::int for update skip locked)
     update message m set reconcile_looks = m.reconcile_looks + 1,
            reconcile_at = case when m.reconcile_looks < 40 then now() + power(2, least(m.reconcile_looks, 7)) * $2::int * interval '1 ms' end
       from l where m.id = l.id
     returning m.id, m.org_id, m.account_id, m.address, m.sender, m.body, m.claimed_at, m.lease_until, m.reconcile_reads, clock_timestamp() as taken_at,
       coalesce((select c.unknown_policy::text from campaign c where c.id = m.campaign_id), 'at_most_once') as policy`,
    take.limit,
    take.backoffMs,
  );
}

/** Which of these provider ids already belong to a ledger row. */
export async function findKnownProviderIds(
  database: Database,
  accountId: string,
  providerIds: readonly string[],
): Promise<Set<string>> {
  const rows = await database.query<{ provider_message_id: string }>(
    `select provider_message_id from provider_key where account_id = $1::uuid and provider_message_id = any($2::text[])`,
    accountId,
    providerIds,
  );
  return new Set(rows.map((row) => row.provider_message_id));
}

/** Every unknown row that a listed text could be: more rows than texts leaves all of them unknown. */
export async function countTwins(database: Database, text: UnknownText): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `select count(*)::int as n from message where state = 'unknown' and account_id = $1::uuid and org_id = $2::uuid
        and address = $3 and (sender = $4 or sender is null or $4 is null) and body = $5`,
    text.account_id,
    text.org_id,
    text.address,
    text.sender,
    text.body,
  );
  return row?.n ?? 0;
}

/**
 * Notes a complete look at the provider's list that did not show the text. After `readsNeeded` such
 * looks, all after the lag bound, the row is `lost`; with `retry` a new row with try + 1 takes its
 * place, unless the campaign is over or too little time is left.
 */
const ABSENT = `
with l as (
  select id from message where id = $1::uuid and state = 'unknown' for update),
u as (
  update message m set reconcile_reads = m.reconcile_reads + 1,
         state = case when m.reconcile_reads + 1 >= $2::int then 'lost' else 'unknown' end::message_state,
         reconcile_at = case when m.reconcile_reads + 1 >= $2::int then null else m.reconcile_at end,
         reason = case when m.reconcile_reads + 1 >= $2::int then 'absent_at_provider' else m.reason end
    from l where m.id = l.id returning m.*),
settling as (select org_id, price_micros, currency, state, 'unknown'::message_state as was from u),
${settleBudget('settling')},
again as (
  insert into message (id, org_id, direction, channel, purpose, state, driver, priority, account_id, pool_id, sender_id, sender, address,
                       campaign_id, conversation_id, contact_id, programme, step, wave, try, retry_of, body, media, encoding, segments, due_at, not_after)
  select $4::uuid, u.org_id, u.direction, u.channel, u.purpose, 'planned', 'pool', u.priority, u.account_id, u.pool_id,
         case when u.purpose = 'campaign' then null else u.sender_id end, case when u.purpose = 'campaign' then null else u.sender end, u.address,
         u.campaign_id, u.conversation_id, u.contact_id, u.programme, u.step, u.wave, u.try + 1, u.id, u.body, u.media, u.encoding, u.segments,
         greatest(now(), u.due_at), u.not_after
    from u where u.state = 'lost' and $3::boolean and u.not_after > now() + interval '120 s'
     and not exists (select 1 from campaign c where c.id = u.campaign_id and c.state in ('finished', 'cancelled'))
  on conflict (id) do nothing returning pool_id, org_id, campaign_id),
events as (
  insert into provider_event (id, org_id, account_id, message_id, kind, detail)
  select $5::uuid, org_id, account_id, id, 'reconciled', jsonb_build_object('outcome', state, 'reads', reconcile_reads) from u),
${wakePools('select pool_id from again')},
rung as (
  insert into outbox (kind, ref_id) select 'wake_pool', id from woken
  ${RING_AGAIN}),
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select u.org_id, u.campaign_id, 'state', v.value, v.sign from u, (values ('unknown', -1), ('lost', 1)) v(value, sign)
   where u.state = 'lost' and u.campaign_id is not null
  union all select org_id, campaign_id, 'state', 'planned', 1 from again where campaign_id is not null)
select state::text as state from u`;

export async function noteAbsent(
  database: Database,
  note: {
    readonly messageId: string;
    readonly readsNeeded: number;
    readonly retry: boolean;
    readonly retryId: string;
    readonly eventId: string;
  },
): Promise<string | null> {
  const [row] = await database.query<{ state: string }>(
    ABSENT,
    note.messageId,
    note.readsNeeded,
    note.retry,
    note.retryId,
    note.eventId,
  );
  return row?.state ?? null;
}

/** The gap filler has read the provider's inbound list, as of `startedAt`, back to where it was read before. */
export async function closeGap(
  database: Database,
  accountId: string,
  startedAt: Date,
): Promise<void> {
  await database.query(
    `update provider_account set inbound_seen_at = greatest(inbound_seen_at, $2::timestamptz),
            gap_since = case when gap_noticed_at < $2::timestamptz then null else gap_since end
      where id = $1::uuid returning 1 as done`,
    accountId,
    startedAt,
  );
}
