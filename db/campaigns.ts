import { type CampaignAction, nextState, statesAllowing } from '../domain/campaign-state.ts';
import type { Database, TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { burstOf } from './permits.ts';
import { RING_AGAIN, wakePools } from './wake.ts';
import { skipRows } from './skipping.ts';

export interface CampaignChange {
  readonly campaignId: string;
  readonly action: CampaignAction;
  readonly actor: string;
  readonly reason?: string;
}

export interface CampaignChanged {
  /** Whether the campaign exists at all. */
  readonly found: boolean;
  /** Whether this call changed it: false when its state does not allow the action. */
  readonly changed: boolean;
  readonly state: string | null;
  readonly fence: number | null;
}

/**
 * A campaign's change of state: the state by the transitions table, fence + 1, audit, doorbells.
 * One statement and the only one that writes the campaign row after its launch. Who cancels, skips
 * what is planned; who resumes, pulls held replies forward.
 */
const CHANGE = `
with held as (
  select id, state from campaign where id = $1::uuid for update),
changed as (
  update campaign c set
      state = case when $2 = 'resume' then coalesce(c.paused_from, 'running') else t.next::campaign_state end,
      paused_from = case when $2 = 'pause' then h.state when $2 = 'resume' then null else c.paused_from end,
      fence = c.fence + 1,
      launched_at = case when $2 = 'launch' then date_trunc('milliseconds', clock_timestamp()) else c.launched_at end,
      finished_at = case when $2 in ('finish', 'cancel') then now() else c.finished_at end,
      state_reason = $5
    from held h join unnest($3::text[], $4::text[]) t(was, next) on t.was = h.state::text
   where c.id = h.id
  returning c.id, c.org_id, c.pool_id, c.state, c.fence, h.state as was),
begun as (
  insert into campaign_progress (campaign_id, org_id) select id, org_id from changed where $2 = 'launch' on conflict do nothing),
unmarked as (
  update campaign_progress p set brake_mark = null from changed c where $2 = 'resume' and p.campaign_id = c.id),
capped as (
  insert into permit_bucket (kind, ref_id, segments_per_second, burst, tokens)
  select 'campaign', c.id, k.segments_per_second, ${burstOf('k.segments_per_second')}, ${burstOf('k.segments_per_second')}
    from changed c join campaign k on k.id = c.id where $2 = 'launch' and k.segments_per_second is not null
  on conflict do nothing),
audited as (
  insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
  select $6::uuid, org_id, $7, 'campaign.' || $2, 'campaign', id, jsonb_build_object('from', was, 'to', state, 'reason', $5::text) from changed),
pulled as (
  update message m set due_at = now() from changed c
   where $2 = 'resume' and m.sender_id in (select s.id from sender s where s.pool_id = c.pool_id)
     and m.campaign_id = c.id and m.state = 'planned' and m.driver = 'pool'),
${wakePools(`select pool_id from changed where $2 in ('resume', 'cancel')`)},
rung as (
  insert into outbox (kind, ref_id)
  select kind, id from (select 'wake_campaign'::outbox_kind as kind, id from changed where $2 not in ('edit', 'check', 'start', 'finish')
                        union all select 'wake_pool', id from woken) o order by kind, id
  ${RING_AGAIN})
select (select count(*)::int from held) as found, c.state::text as state, c.fence
  from (select 1) one left join changed c on true`;

/** Changes a campaign's state as one org; see CHANGE. */
export async function changeCampaign(
  tenant: Pick<TenantDatabase, 'query'>,
  change: CampaignChange,
): Promise<CampaignChanged> {
  const from = statesAllowing(change.action);
  const [row] = await tenant.query<{ found: number; state: string | null; fence: number | null }>(
    CHANGE,
    change.campaignId,
    change.action,
    from,
    from.map((state) => nextState(state, change.action)),
    change.reason ?? null,
    newId(),
    change.actor,
  );
  return {
    found: row?.found === 1,
    changed: row?.state !== null && row?.state !== undefined,
    state: row?.state ?? null,
    fence: row?.fence ?? null,
  };
}

/** Texts of a campaign whose POST may still start or has not been recorded. */
export async function countSending(
  tenant: Pick<TenantDatabase, 'query'>,
  campaignId: string,
): Promise<number> {
  const [row] = await tenant.query<{ n: number }>(
    `select count(*)::int as n from message where state = 'sending' and lease_until > '-infinity' and campaign_id = $1::uuid`,
    campaignId,
  );
  return row?.n ?? 0;
}

/** Skips up to 5,000 planned texts of a cancelled or finished campaign; returns how many. */
export async function skipPlanned(
  database: Database,
  campaignId: string,
  reason: string,
): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `with l as (
       select m.id from message m where m.campaign_id = $1::uuid and m.state = 'planned' and m.direction = 'outbound'
          and m.purpose in ('campaign', 'auto_reply') order by m.id limit 5000 for update of m),
     ${skipRows({ picked: 'l', reason: '$2' })}
     select count(*)::int as n from skipped`,
    campaignId,
    reason,
  );
  return row?.n ?? 0;
}

export interface CounterRow {
  readonly kind: string;
  readonly value: string;
  readonly n: number;
}

/** Every counter of a campaign: folded plus not yet folded, read in one snapshot. */
export const READ_COUNTERS = `
select kind, value, sum(n)::int as n from (
    select kind, value, n from counter where campaign_id = $1::uuid
    union all select kind, value, n from counter_delta where campaign_id = $1::uuid) t
 group by kind, value`;

/** Folds up to 20,000 counter deltas into their counters; returns how many. */
export async function foldCounters(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `with d as (
       delete from counter_delta where id in (select id from counter_delta order by id limit 20000 for update skip locked)
       returning org_id, campaign_id, kind, value, n, at),
     p as (
       update campaign_progress p set last_text_at = greatest(p.last_text_at, t.at)
         from (select campaign_id, max(at) as at from d where kind in ('state', 'reply') group by 1) t
        where p.campaign_id = t.campaign_id),
     f as (
       insert into counter (campaign_id, kind, value, org_id, n)
       select campaign_id, kind, value, org_id, sum(n) from d group by 1, 2, 3, 4 order by 1, 2, 3
       on conflict (campaign_id, kind, value) do update set n = counter.n + excluded.n)
     select count(*)::int as n from d`,
  );
  return row?.n ?? 0;
}

/** When a text of the campaign last left or came in, and how many unknown ones are younger than their bound. */
export async function readActivity(
  database: Database,
  campaignId: string,
  unknownBoundMs: number,
): Promise<{ readonly lastAt: Date | null; readonly openUnknown: number }> {
  const [row] = await database.query<{ last_at: Date | null; open_unknown: number }>(
    `with seen as (
       update campaign_progress p set refreshed_at = now(),
              last_text_at = greatest(p.last_text_at, (select max(at) from counter_delta where campaign_id = $1::uuid and kind in ('state', 'reply')))
        where p.campaign_id = $1::uuid returning p.last_text_at)
     select (select last_text_at from seen) as last_at,
            (select count(*)::int from message where state = 'unknown' and reconcile_at is not null and campaign_id = $1::uuid
                and lease_until > now() - $2::float8 * interval '1 ms') as open_unknown`,
    campaignId,
    unknownBoundMs,
  );
  return { lastAt: row?.last_at ?? null, openUnknown: row?.open_unknown ?? 0 };
}
