import type { OrgHours } from '../domain/campaign-hours.ts';
import type { Database } from './client.ts';
import { RING_AGAIN, wakePools } from './wake.ts';

/** The hours of the org `o`, as JSON. */
export const ORG_HOURS = `jsonb_build_object('laws', o.hours_laws, 'startMinute', o.hours_start_minute, 'endMinute', o.hours_end_minute,
              'days', o.hours_days, 'blackout', o.hours_blackout, 'version', o.hours_version)`;

/** A campaign as the planner needs it. */
export interface PlanningCampaign {
  readonly id: string;
  readonly org_id: string;
  readonly state: string;
  readonly fence: number;
  readonly pool_id: string;
  readonly account_id: string;
  readonly list_id: string;
  readonly programme: string | null;
  readonly script_version_id: string;
  readonly graph: unknown;
  readonly start_mode: 'auto' | 'first_text' | 'first_reply';
  readonly resolved_start_mode: 'first_text' | 'first_reply' | null;
  readonly hours_start_minute: number;
  readonly hours_end_minute: number;
  readonly hours_days: number[];
  readonly hours_blackout: Date[];
  readonly starts_at_local: string | null;
  readonly org_hours: OrgHours;
  readonly segments_per_second: number | null;
  readonly pool_rate: number;
  readonly reply_window_s: number;
  readonly starts_at: Date | null;
  readonly launched_at: Date;
  readonly replies_closed_at: Date | null;
  readonly frozen_at: Date | null;
  readonly planned_all_at: Date | null;
  readonly finish_by: Date | null;
  readonly max_open_replies: number | null;
  readonly brake_min_texts: number;
  readonly brake_failures: number | null;
  readonly brake_opt_outs: number | null;
  readonly brake_violations: number | null;
  readonly brake_mark: unknown;
  /** The database was restored and knows less than was sent: nothing is planned or finished. */
  readonly safe_mode: boolean;
  /** The database's clock: windows and starts must not depend on that of one worker. */
  readonly now: Date;
}

export async function findPlanningCampaign(
  database: Database,
  campaignId: string,
): Promise<PlanningCampaign | null> {
  const [row] = await database.query<PlanningCampaign>(
    `select c.id, c.org_id, c.state::text as state, c.fence, c.pool_id, c.account_id, c.list_id, c.programme,
            c.script_version_id, v.graph, c.start_mode::text as start_mode,
            p.resolved_start_mode::text as resolved_start_mode, c.hours_start_minute, c.hours_end_minute, c.hours_days,
            c.hours_blackout, c.segments_per_second, c.starts_at_local,
            ${ORG_HOURS} as org_hours,
            coalesce((select sum(s.segments_per_second)::float8 from sender s where s.pool_id = c.pool_id and s.state = 'active'), 0) as pool_rate,
            c.reply_window_s, c.starts_at, c.launched_at, c.replies_closed_at, p.frozen_at, p.planned_all_at, c.finish_by,
            c.max_open_replies, c.brake_min_texts, c.brake_failures, c.brake_opt_outs, c.brake_violations, p.brake_mark, clock_timestamp() as now,
            exists (select 1 from deployment where safe_mode_at is not null) as safe_mode
       from campaign c join script_version v on v.id = c.script_version_id join org o on o.id = c.org_id
       join campaign_progress p on p.campaign_id = c.id
      where c.id = $1::uuid and c.launched_at is not null`,
    campaignId,
  );
  return row ?? null;
}

/** Conversation workflows a second that running campaigns start with their first texts, over all pools. */
export async function sumStartRates(database: Database): Promise<number> {
  const [row] = await database.query<{ rate: number }>(
    `select coalesce(sum(least(c.segments_per_second, (
              select sum(s.segments_per_second)::float8 from sender s where s.pool_id = c.pool_id and s.state = 'active'))), 0)::float8 as rate
       from campaign c join campaign_progress p on p.campaign_id = c.id
      where c.state in ('running', 'paused') and p.resolved_start_mode = 'first_text' and p.planned_all_at is null`,
  );
  return row?.rate ?? 0;
}

/**
 * Freezes the audience, once: the list's reachable, unsuppressed people with their merge fields,
 * numbered from 1 within each zone set, and a cursor per zone set. One statement, so a crash leaves
 * all or nothing; a second run finds `frozen_at` set. Ids are derived in Node, so the ids of a million people
 * are not: they come from md5 of (campaign, contact) under the campaign's launch time.
 */
const FREEZE = `
with c as (
  select c.* from campaign c join campaign_progress p on p.campaign_id = c.id
   where c.id = $1::uuid and p.frozen_at is null for update of p),
person as (
  select c.id as campaign_id, c.org_id, k.id as contact_id, k.zone_set_id, k.e164, k.first_name, k.last_name, k.fields,
         m.import_id, m.row_no,
         case when k.e164 is null then 'no_number'
              when k.state <> 'active' then k.state::text
              when exists (select 1 from suppression s where s.address = k.e164 and s.lifted_at is null
                            and (s.org_id = c.org_id or s.org_id is null)
                            and (s.programme is null or s.programme = c.programme)) then 'opted_out' end as left_out
    from c join contact_list_member m on m.list_id = c.list_id join contact k on k.id = m.contact_id),
audience as (
  insert into campaign_contact (id, campaign_id, org_id, contact_id, zone_set_id, seq, e164, merge)
  select overlay(overlay(overlay(md5(campaign_id::text || contact_id::text) placing $2 from 1) placing '8' from 13) placing '8' from 17)::uuid,
         campaign_id, org_id, contact_id, zone_set_id,
         row_number() over (partition by zone_set_id order by import_id, row_no, contact_id),
         e164, fields || jsonb_build_object('first_name', first_name, 'last_name', last_name)
    from person where left_out is null
  returning zone_set_id),
cursors as (
  insert into campaign_cursor (campaign_id, zone_set_id, org_id, size)
  select c.id, a.zone_set_id, c.org_id, a.n from c, (select zone_set_id, count(*)::int as n from audience group by 1) a
  returning size)
update campaign_progress p
   set frozen_at = now(), resolved_start_mode = $3::campaign_start_mode,
       audience = coalesce((select sum(size) from cursors), 0),
       left_out = coalesce((select jsonb_object_agg(left_out, n) from (select left_out, count(*) as n from person where left_out is not null group by 1) t), '{}')
  from c where p.campaign_id = c.id returning p.audience`;

export async function freezeAudience(
  database: Database,
  freeze: {
    readonly campaignId: string;
    readonly launchedAt: Date;
    readonly startMode: 'first_text' | 'first_reply';
  },
): Promise<void> {
  const timeHex = freeze.launchedAt.getTime().toString(16).padStart(12, '0');
  await database.query(FREEZE, freeze.campaignId, timeHex, freeze.startMode);
}

export interface Cursor {
  readonly zone_set_id: number;
  readonly zones: string[];
  readonly places: string[];
  readonly next_seq: number;
  readonly size: number;
  readonly opens_at: Date | null;
  readonly closes_at: Date | null;
  readonly no_legal_hour: boolean;
}

/** A campaign's cursors, the first to close first. */
export async function listCursors(database: Database, campaignId: string): Promise<Cursor[]> {
  return database.query<Cursor>(
    `select u.zone_set_id, z.zones, z.places, u.next_seq, u.size, u.opens_at, u.closes_at, u.no_legal_hour
       from campaign_cursor u join zone_set z on z.id = u.zone_set_id
      where u.campaign_id = $1::uuid and u.wave = 0
      order by u.closes_at nulls last, u.zone_set_id limit 1000`,
    campaignId,
  );
}

/**
 * Notes when the texting hours of zone sets open and close next; null: never. First texts that are still
 * planned move to the new hours: they would be skipped at the close of the old.
 */
const SET_WINDOWS = `
with w as (select * from unnest($2::int[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[]) w(zone_set_id, opens_at, closes_at, not_after)),
noted as (
  update campaign_cursor u set opens_at = w.opens_at, closes_at = w.closes_at, no_legal_hour = w.opens_at is null
    from w where u.campaign_id = $1::uuid and u.wave = 0 and u.zone_set_id = w.zone_set_id
     and exists (select 1 from campaign c join org o on o.id = c.org_id where c.id = u.campaign_id and o.hours_version = $6::int) returning u.zone_set_id),
held as (
  select m.id, greatest(w.opens_at, m.due_at) as due_at, w.not_after
    from message m join campaign_contact k on k.id = m.conversation_id join w on w.zone_set_id = k.zone_set_id
   where m.campaign_id = $1::uuid and m.state = 'planned' and m.purpose = 'campaign' and w.opens_at is not null
     and w.zone_set_id in (select zone_set_id from noted)
   order by m.id for update of m),
moved as (update message m set due_at = h.due_at, not_after = h.not_after from held h where m.id = h.id returning 1)
select (select count(*)::int from moved) as moved, (select count(*)::int from noted) as noted`;

export async function setCursorWindows(
  database: Database,
  campaign: { readonly id: string; readonly org_hours: Pick<OrgHours, 'version'> },
  windows: readonly {
    readonly zoneSetId: number;
    readonly opensAt: Date | null;
    readonly closesAt: Date | null;
    /** The last moment at which a text may leave in these hours. */
    readonly notAfter: Date | null;
  }[],
): Promise<void> {
  if (windows.length === 0) return;
  await database.query(
    SET_WINDOWS,
    campaign.id,
    windows.map((window) => window.zoneSetId),
    windows.map((window) => window.opensAt),
    windows.map((window) => window.closesAt),
    windows.map((window) => window.notAfter),
    campaign.org_hours.version,
  );
}

export interface AudienceMember {
  readonly id: string;
  readonly contact_id: string;
  readonly seq: number;
  readonly e164: string;
  readonly merge: Record<string, unknown>;
}

/** How many planned texts of a campaign are due within half a minute, counted up to so many. */
export async function countDueSoon(
  database: Database,
  { campaignId, atMost }: { readonly campaignId: string; readonly atMost: number },
): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `select count(*)::int as n from (
       select from message m where m.campaign_id = $1::uuid and m.state = 'planned' and m.due_at <= now() + interval '30 s'
        order by m.campaign_id, m.due_at, m.id limit $2::int) t`,
    campaignId,
    atMost,
  );
  return row?.n ?? 0;
}

export async function listAudience(
  database: Database,
  slice: {
    readonly campaignId: string;
    readonly zoneSetId: number;
    readonly fromSeq: number;
    readonly toSeq: number;
  },
): Promise<AudienceMember[]> {
  return database.query<AudienceMember>(
    `select id, contact_id, seq, e164, merge from campaign_contact
      where campaign_id = $1::uuid and zone_set_id = $2::int and seq between $3::int and $4::int order by seq`,
    slice.campaignId,
    slice.zoneSetId,
    slice.fromSeq,
    slice.toSeq,
  );
}

/** One first text, rendered. A `skipReason` makes the row at once `skipped`. */
export interface PlannedText {
  readonly id: string;
  readonly conversationId: string;
  readonly contactId: string;
  readonly address: string;
  readonly body: string;
  readonly encoding: 'gsm7' | 'ucs2';
  readonly segments: number;
  readonly skipReason: string | null;
}

/**
 * Plans one slice of a zone set: moves the cursor if it still stands where it was read and the
 * campaign still runs under the same fence, and only then inserts. Derived ids make a repeat meet
 * the same rows; nothing is planned from a restored database until what was sent is known again. With driver 'conversation' each text's conversation is inserted and rung.
 * Measured: 1,000 rows 73k rows/s.
 */
const PLAN = `
with moved as (
  update campaign_cursor u set next_seq = $4::int
   where u.campaign_id = $1::uuid and u.wave = 0 and u.zone_set_id = $2::int and u.next_seq = $3::int
     and exists (select 1 from campaign c where c.id = $1::uuid and c.state = 'running' and c.fence = $5::int)
     -- Hours that were just changed are worked out anew first.
     and (u.closes_at is not null or u.no_legal_hour)
     and not exists (select 1 from deployment where safe_mode_at is not null)
     and not exists (select 1 from campaign c join provider_account a on a.id = c.account_id where c.id = $1::uuid and a.lost_since is not null)
  returning u.org_id),
planned as (
  insert into message (id, org_id, direction, purpose, state, driver, priority, account_id, pool_id, address, campaign_id,
                       conversation_id, contact_id, programme, step, body, encoding, segments, due_at, not_after, reason, final_at)
  select t.id, moved.org_id, 'outbound', 'campaign', case when t.skip is null then 'planned' else 'skipped' end::message_state,
         $6::message_driver, $7::smallint, c.account_id, c.pool_id, t.address, c.id, t.conversation_id, t.contact_id, c.programme,
         $8, t.body, t.encoding::segment_encoding, t.segments, now(), $9::timestamptz, t.skip, case when t.skip is not null then now() end
    from moved join campaign c on c.id = $1::uuid,
         unnest($10::uuid[], $11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::int[], $17::text[])
           t(id, conversation_id, contact_id, address, body, encoding, segments, skip)
  on conflict (id) do nothing
  returning id, org_id, campaign_id, conversation_id, contact_id, account_id, pool_id, address, state, reason),
talk as (
  insert into conversation (id, org_id, kind, account_id, address, contact_id, campaign_id, script_version_id, opened)
  select p.conversation_id, p.org_id, 'campaign', p.account_id, p.address, p.contact_id, p.campaign_id, c.script_version_id, true
    from planned p join campaign c on c.id = p.campaign_id
   where $6 = 'conversation' and p.state = 'planned' order by p.conversation_id
  on conflict (id) do nothing returning id),
${wakePools(`select pool_id from planned where state = 'planned' and $6 = 'pool'`)},
rung as (
  insert into outbox (kind, ref_id)
  select kind, id from (select 'ring_conversation'::outbox_kind as kind, id from talk
                        union all select 'wake_pool', id from woken) o order by kind, id
  ${RING_AGAIN}),
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select org_id, campaign_id, 'state', state::text, count(*) from planned group by 1, 2, 4
  union all select org_id, campaign_id, 'skip', reason, count(*) from planned where state = 'skipped' group by 1, 2, 4)
select (select count(*)::int from moved) as moved, (select count(*)::int from planned) as planned`;

/** Returns whether the cursor moved: false when another planner was faster or the campaign stopped. */
export async function planTexts(
  database: Database,
  plan: {
    readonly campaignId: string;
    readonly zoneSetId: number;
    readonly fromSeq: number;
    readonly nextSeq: number;
    readonly fence: number;
    readonly driver: 'pool' | 'conversation';
    readonly priority: number;
    readonly step: string;
    readonly notAfter: Date;
    readonly texts: readonly PlannedText[];
  },
): Promise<boolean> {
  const { texts } = plan;
  const [row] = await database.query<{ moved: number }>(
    PLAN,
    plan.campaignId,
    plan.zoneSetId,
    plan.fromSeq,
    plan.nextSeq,
    plan.fence,
    plan.driver,
    plan.priority,
    plan.step,
    plan.notAfter,
    texts.map((text) => text.id),
    texts.map((text) => text.conversationId),
    texts.map((text) => text.contactId),
    texts.map((text) => text.address),
    texts.map((text) => text.body),
    texts.map((text) => text.encoding),
    texts.map((text) => text.segments),
    texts.map((text) => text.skipReason),
  );
  return row?.moved === 1;
}

/** Notes that nobody of the audience is left to plan. */
export async function markPlannedAll(database: Database, campaignId: string): Promise<void> {
  await database.query(
    `update campaign_progress set planned_all_at = now()
      where campaign_id = $1::uuid and planned_all_at is null returning 1 as done`,
    campaignId,
  );
}
