import type { Database } from './client.ts';
import { NIL_ID } from '../domain/derived-id.ts';
import { settleBudget } from './budgets.ts';
import { purposesWhere, SUPPRESSED_PURPOSES } from './purposes.ts';
import { ACCOUNT_MAY_SEND } from './accounts.ts';
import { REVIEW_REASON } from './suppressions.ts';

/** A row that this process may POST, once, before its `postBefore`. */
export interface ClaimedMessage {
  readonly id: string;
  readonly org_id: string;
  readonly account_id: string;
  readonly sender_id: string;
  readonly sender: string;
  readonly address: string;
  readonly body: string;
  readonly media: string[];
  readonly segments: number;
  readonly attempt: number;
  readonly campaign_id: string | null;
  readonly contact_id: string | null;
  readonly not_after: Date;
  /** Seconds until then, by the database's clock. */
  readonly left_s: number;
  readonly due_at: Date;
}

/** Senders with the segments that their buckets granted for this claim. */
export interface Seat {
  readonly senderId: string;
  readonly sender: string;
  readonly segments: number;
}

export interface ClaimResult {
  readonly claimed: readonly ClaimedMessage[];
  /** Rows that may not go and are now `skipped`. */
  readonly skipped: number;
  /** Rows that wait: their campaign does not run, or its person talks with another one. */
  readonly held: number;
  /** Whether rows wait for money: the org's budget is used up. */
  readonly overBudget: boolean;
  /** The last row looked at, for the lane's watermark. */
  readonly last: { readonly dueAt: Date; readonly id: string } | null;
}

/** Where the lane of a campaign goes on: nothing below it is left, as far as this process knows. */
export interface Watermark {
  readonly dueAt: Date;
  readonly id: string;
}

/** Milliseconds in which a claimed row's POST must start, or be handed back. */
export const POST_WITHIN_MS = 500;
/** A text with less time than this before its window closes is not started (seconds). */
const CLOSING_S = 120;
/** How long a row waits whose campaign does not run, or has no money left (seconds). */
const HELD_AGAIN_S = 60;
/** How long a first text waits for another conversation with the same person (seconds). */
const BUSY_AGAIN_S = 600;

interface ClaimRow extends Omit<ClaimedMessage, 'id'> {
  readonly id: string;
  /** Which lane of the claim it came from, from 0. */
  readonly lane: number;
  readonly state: 'sending' | 'skipped' | 'planned';
  readonly why: string | null;
}

const UNASKED = `p.purpose in (${purposesWhere((rule) => rule.frequency === 'checked')})`;

/**
 * Another campaign's conversation that waits for this person's answer: a "yes" would be taken for its
 * answer. The reply routes hold whoever was texted; a silent contact has no conversation row yet.
 */
const BUSY = `
  select 1 as found from conversation_route r
    left join conversation v on v.id = r.conversation_id
    left join campaign_contact k on v.id is null and k.id = r.conversation_id
    left join campaign o on o.id = coalesce(v.campaign_id, k.campaign_id)
   where p.purpose = 'campaign' and c.busy_policy <> 'send' and p.attempt = 0
     and r.org_id = p.org_id and r.address = p.address and r.last_out_at > now() - c.busy_minutes * interval '1 minute'
     and o.id <> p.campaign_id and o.state in ('running', 'paused')
     and (v.id is null or (v.state = 'automatic' and v.step is not null)) limit 1`;

/**
 * One statement for all lanes of a process that look at the same moment: picks from each, judges by the flags of each
 * row's purpose, seats rows on the senders of their lane that hold permits (in due order, a text may overdraw its sender
 * by its own length), keeps those that the org's budget and the person's frequency caps allow, and moves them.
 *
 * Suppression is a LATERAL … LIMIT 1: as EXISTS the generic plan hashed the whole table. Locks are taken in one
 * order: messages (those locked by others are passed over), budgets by org, paces by org and person; so two claims
 * never wait in a ring. The budget's row decides between concurrent claimers for the same money, the pace's row for the same
 * person: both are read after they are locked.
 *
 * `pick` must lock its rows FOR UPDATE SKIP LOCKED and say their lane; $1-$4 are the seats, $5 the lease in ms, $6 the
 * last beat that this process knows: a database that remembers less was restored, and nothing is claimed from it.
 * Nearly a millisecond goes into beginning it, whatever it finds; a lane and a row cost some 0.1 ms more.
 * Measured with a campaign lane of 100 rows: see bench/ledger.ts; flat with the watermark.
 */
function claimStatement(pick: string): string {
  return `
-- Once, though a slice that is believed dead may still ask beside its successor.
with pick as materialized (select distinct on (q.id) q.* from (${pick}) q order by q.id, q.lane),
judged as (
  select p.*, case
      when s.found is not null then s.reason
      when c.state in ('finished', 'cancelled') and p.purpose in (${purposesWhere((rule) => rule.campaign !== 'any')}) then 'cancelled'
      when p.not_after < now() + case when p.purpose in (${purposesWhere((rule) => rule.window === 'passes')}) then interval '0' else interval '${CLOSING_S} s' end then 'window_closing'
      when b.found is not null and (c.busy_policy = 'skip' or p.not_after < now() + interval '${BUSY_AGAIN_S} s') then 'busy'
    end as reason,
    case
      when (p.purpose in (${purposesWhere((rule) => rule.campaign === 'running')}) and c.state <> 'running')
        or (p.purpose in (${purposesWhere((rule) => rule.campaign === 'running-or-paused')}) and c.state not in ('running', 'paused')) then ${HELD_AGAIN_S}
      when b.found is not null then ${BUSY_AGAIN_S}
    end as held_s,
    ${UNASKED} and p.attempt = 0 and p.try = 1 as paced
  from pick p
  left join campaign c on c.id = p.campaign_id
  left join lateral (
    select 1 as found, case when s.reason = '${REVIEW_REASON}' then s.reason else 'opted_out' end as reason from suppression s
     where s.address = p.address and s.lifted_at is null and (s.org_id = p.org_id or s.org_id is null)
       and (s.programme is null or s.programme = p.programme)
       and p.purpose in (${SUPPRESSED_PURPOSES}) limit 1) s on true
  left join lateral (${BUSY}) b on true),
ready as (
  select j.*, sum(j.segments) over (partition by j.lane order by j.priority, j.due_at, j.id) - j.segments as before
    from judged j where j.reason is null and j.held_s is null),
seat as (
  select u.lane, u.sender_id, u.sender, sum(u.segments) over (partition by u.lane order by u.o) - u.segments as low,
         sum(u.segments) over (partition by u.lane order by u.o) as high
    from unnest($1::int[], $2::uuid[], $3::text[], $4::int[]) with ordinality u(lane, sender_id, sender, segments, o)
    join sender x on x.id = u.sender_id and (x.state = 'active' or (x.state = 'held' and x.held_until < now()))),
seated as (
  select r.id, r.lane, r.org_id, r.account_id, r.contact_id, r.address, r.purpose, r.priority, r.due_at, r.segments, r.paced,
         s.sender_id as by_id, s.sender as by
    from ready r join seat s on s.lane = r.lane and r.before >= s.low and r.before < s.high and (r.sender_id is null or r.sender_id = s.sender_id)),
placed as (
  select s.*, k.country, row_number() over (partition by s.org_id, s.address order by s.priority, s.due_at, s.id) = 1 as first_of_person
    from seated s left join contact k on k.id = s.contact_id),
tariff as (
  select t.account_id, t.country, r.price_micros, r.currency
    from (select distinct x.account_id, x.country, x.org_id, a.provider from placed x join provider_account a on a.id = x.account_id) t,
    lateral (
      select price_micros, currency from rate_card
       where provider = t.provider and direction = 'outbound' and channel = 'sms' and valid_from <= now()::date
         and (org_id is null or org_id = t.org_id) and (country is null or country = t.country)
       order by org_id nulls last, country nulls last, valid_from desc limit 1) r),
purse as materialized (
  select b.org_id, b.currency, b.cap_micros - b.reserved_micros - b.spent_micros as room from budget b
   where b.org_id in (select org_id from seated) order by b.org_id for update),
cap as (
  select o.id, coalesce(o.texts_per_day, 2147483647) as a_day, coalesce(o.texts_per_week, 2147483647) as a_week from org o
   where o.id in (select org_id from seated) and (o.texts_per_day is not null or o.texts_per_week is not null)),
priced as (
  select s.*, cap.id is not null as capped, t.price_micros * s.segments as cost, t.currency,
         u.org_id is null or s.purpose not in (${purposesWhere((rule) => rule.budget === 'checked')})
           or coalesce(t.currency = u.currency
             and sum(t.price_micros * s.segments) filter (where (s.first_of_person or not s.paced) and t.currency = u.currency)
                   over (partition by s.org_id order by s.priority, s.due_at, s.id) <= u.room, false) as affordable
    from placed s left join tariff t on t.account_id = s.account_id and t.country is not distinct from s.country
    left join purse u on u.org_id = s.org_id left join cap on cap.id = s.org_id),
pace as (
  insert into contact_pace (org_id, address, recent)
  select p.org_id, p.address, array[now()] from priced p
   where p.affordable and p.paced and p.first_of_person and p.capped order by p.org_id, p.address
  on conflict (org_id, address) do update
     set recent = array(select t from unnest(contact_pace.recent) t where t > now() - interval '7 days') || now()
   where (select count(*) from unnest(contact_pace.recent) t where t > now() - interval '1 day') < (select a_day from cap where cap.id = contact_pace.org_id)
     and (select count(*) from unnest(contact_pace.recent) t where t > now() - interval '7 days') < (select a_week from cap where cap.id = contact_pace.org_id)
  returning org_id, address),
-- Money that was set aside for somebody whose cap keeps them back is there for the next claim.
spared as (
  select distinct p.org_id from priced p where p.affordable and p.paced and p.first_of_person and p.capped
     and not exists (select from pace e where e.org_id = p.org_id and e.address = p.address)),
verdict as (
  select j.id, j.lane, j.due_at, case when j.reason is not null then 'skip' else 'hold' end as word, j.reason, j.held_s,
         null::uuid as by_id, null::text as by, null::bigint as cost, null::text as currency
    from judged j where j.reason is not null or j.held_s is not null
  union all
  select p.id, p.lane, p.due_at,
         case when not p.affordable and (p.purpose = 'campaign' or x.org_id is not null) then 'hold' when not p.affordable then 'skip'
              when not p.paced or not p.capped or e.address is not null then 'send' else 'skip' end,
         case when not p.affordable then case when x.org_id is null then 'over_budget' end when p.paced and e.address is null then 'frequency_cap' end,
         case when x.org_id is not null then 0 else ${HELD_AGAIN_S} end, p.by_id, p.by, p.cost, p.currency
    from priced p left join pace e on e.org_id = p.org_id and e.address = p.address left join spared x on x.org_id = p.org_id
   -- Two texts to one person in one claim: the second waits until the first counts.
   where p.first_of_person or not p.paced or not p.capped),
moved as (
  update message m
     set state = case v.word when 'skip' then 'skipped' when 'hold' then 'planned' else 'sending' end::message_state,
         reason = case v.word when 'skip' then v.reason end,
         final_at = case v.word when 'skip' then now() end,
         due_at = case v.word when 'hold' then now() + v.held_s * interval '1 s' else m.due_at end,
         driver = case v.word when 'hold' then 'pool' else m.driver end::message_driver,
         sender_id = case v.word when 'send' then v.by_id else m.sender_id end,
         sender = case v.word when 'send' then v.by else m.sender end,
         attempt = case v.word when 'send' then m.attempt + 1 else m.attempt end,
         claimed_at = case v.word when 'send' then clock_timestamp() else m.claimed_at end,
         lease_until = case v.word when 'send' then clock_timestamp() + $5::int * interval '1 ms' else m.lease_until end,
         price_micros = case v.word when 'send' then v.cost else m.price_micros end,
         currency = case v.word when 'send' then v.currency else m.currency end,
         price_source = case v.word when 'send' then 'rate_card' else m.price_source end
    from verdict v where m.id = v.id
  returning v.lane, m.id, m.org_id, m.account_id, m.sender_id, m.sender, m.address, m.body, m.media, m.segments, m.attempt,
            m.campaign_id, m.contact_id, m.not_after,
            floor(extract(epoch from m.not_after - clock_timestamp()))::int as left_s, v.due_at, m.state, m.reason, m.priority, m.price_micros, m.currency, 'planned'::message_state as was,
            case v.word when 'hold' then v.reason end as why),
${settleBudget('moved')},
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select org_id, campaign_id, kind, value, sum(n) from (
      select org_id, campaign_id, 'state' as kind, state::text as value, count(*) as n from moved where state <> 'planned' group by 1, 2, 3, 4
      union all select org_id, campaign_id, 'state', 'planned', -count(*) from moved where state <> 'planned' group by 1, 2
      union all select org_id, campaign_id, 'skip', reason, count(*) from moved where state = 'skipped' group by 1, 2, 3, 4) t
   where campaign_id is not null group by 1, 2, 3, 4)
select lane, id, org_id, account_id, sender_id, sender, address, body, media, segments, attempt, campaign_id, contact_id,
       not_after, left_s, due_at, state::text as state, why
  from moved order by lane, priority, due_at, id`;
}

const PICKED = `m.id, m.org_id, m.account_id, m.sender_id, m.address, m.segments, m.not_after, m.due_at, m.priority,
         m.purpose::text as purpose, m.programme, m.campaign_id, m.contact_id, m.attempt, m.try`;

const ACCOUNT_OPEN = `exists (select 1 from provider_account a where a.id = m.account_id and ${ACCOUNT_MAY_SEND})
     and (select beat_at from deployment where id = 1) >= $6::timestamptz`;

/** The fence is read without a lock: whoever pauses waits out the 500 ms. */
const CLAIM_CAMPAIGN_LANES = claimStatement(`
  select p.*, l.lane
    from unnest($7::int[], $8::uuid[], $9::int[], $10::timestamptz[], $11::uuid[], $12::int[]) l(lane, campaign_id, most, due_at, id, fence)
    join campaign c on c.id = l.campaign_id and c.state = 'running' and c.fence = l.fence
   cross join lateral (
     select ${PICKED} from message m
      where m.campaign_id = l.campaign_id and m.state = 'planned' and m.driver = 'pool' and m.sender_id is null
        and m.due_at <= now() and (m.due_at, m.id) > (l.due_at, l.id)
        and ${ACCOUNT_OPEN}
      order by m.due_at, m.id limit l.most for update of m skip locked) p`);

const CLAIM_SENDER_LANES = claimStatement(`
  select p.*, l.lane
    from unnest($7::int[], $8::uuid[], $9::int[]) l(lane, sender_id, most)
   cross join lateral (
     select ${PICKED} from message m
      where m.sender_id = l.sender_id and m.state = 'planned' and m.driver = 'pool' and m.due_at <= now()
        and ${ACCOUNT_OPEN}
      order by m.priority, m.due_at, m.id limit l.most for update of m skip locked) p`);

const CLAIM_ROWS = claimStatement(`
  select p.*, l.lane
    from unnest($7::int[], $8::uuid[]) l(lane, id)
   cross join lateral (
     select ${PICKED} from message m
      where m.id = l.id and m.state = 'planned' and m.due_at <= now()
        and ${ACCOUNT_OPEN} for update of m skip locked) p`);

/** What all lanes of a claim have in common. */
export interface ClaimTerms {
  /** How long a row may stay `sending` before reconcile takes it over, in milliseconds. */
  readonly leaseMs: number;
  /** The last beat of the deployment that this process saw. */
  readonly knownBeat: Date;
}

/** One lane's part of a claim. */
export interface LaneClaim {
  readonly seats: readonly Seat[];
  /** Rows at most. */
  readonly limit: number;
}

export interface CampaignLaneClaim extends LaneClaim {
  readonly campaignId: string;
  readonly fence: number;
  readonly watermark: Watermark | null;
}

export interface SenderLaneClaim extends LaneClaim {
  readonly senderId: string;
}

export interface RowClaim {
  readonly messageId: string;
  readonly seats: readonly Seat[];
}

/** Texts of campaigns whose sender is not chosen yet; a result for each lane. */
export async function claimCampaignLanes(
  database: Database,
  terms: ClaimTerms,
  lanes: readonly CampaignLaneClaim[],
): Promise<ClaimResult[]> {
  return claim(database, CLAIM_CAMPAIGN_LANES, {
    terms,
    lanes,
    columns: [
      lanes.map((lane) => lane.campaignId),
      lanes.map((lane) => lane.limit),
      lanes.map((lane) => lane.watermark?.dueAt ?? new Date(0)),
      lanes.map((lane) => lane.watermark?.id ?? NIL_ID),
      lanes.map((lane) => lane.fence),
    ],
  });
}

/** Texts that one sender must send, urgent ones first; a result for each lane. */
export async function claimSenderLanes(
  database: Database,
  terms: ClaimTerms,
  lanes: readonly SenderLaneClaim[],
): Promise<ClaimResult[]> {
  const columns = [lanes.map((lane) => lane.senderId), lanes.map((lane) => lane.limit)];
  return claim(database, CLAIM_SENDER_LANES, { terms, lanes, columns });
}

/** The same for single rows: what the workflows of conversations send. */
export async function claimRows(
  database: Database,
  terms: ClaimTerms,
  lanes: readonly RowClaim[],
): Promise<ClaimResult[]> {
  const columns = [lanes.map((lane) => lane.messageId)];
  return claim(database, CLAIM_ROWS, { terms, lanes, columns });
}

async function claim(
  database: Database,
  statement: string,
  {
    terms,
    lanes,
    columns,
  }: {
    readonly terms: ClaimTerms;
    readonly lanes: readonly { readonly seats: readonly Seat[] }[];
    /** What the lanes of this statement have beside their seats, a value for each lane. */
    readonly columns: readonly unknown[];
  },
): Promise<ClaimResult[]> {
  const seats = lanes.flatMap((lane, n) => lane.seats.map((seat) => ({ ...seat, lane: n })));
  const rows = await database.query<ClaimRow>(
    statement,
    seats.map((seat) => seat.lane),
    seats.map((seat) => seat.senderId),
    seats.map((seat) => seat.sender),
    seats.map((seat) => seat.segments),
    terms.leaseMs,
    terms.knownBeat,
    lanes.map((_lane, n) => n),
    ...columns,
  );
  const byLane = lanes.map((): ClaimRow[] => []);
  for (const row of rows) byLane[row.lane]?.push(row);
  return byLane.map(toResult);
}

function toResult(rows: readonly ClaimRow[]): ClaimResult {
  const last = rows.at(-1);
  return {
    claimed: rows.filter((row) => row.state === 'sending'),
    skipped: rows.filter((row) => row.state === 'skipped').length,
    held: rows.filter((row) => row.state === 'planned').length,
    overBudget: rows.some((row) => row.why === 'over_budget'),
    last: last === undefined ? null : { dueAt: last.due_at, id: last.id },
  };
}
