import type { CampaignState } from '../domain/campaign-state.ts';
import { iso } from './campaign-views.ts';
import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';
import { RING_AGAIN } from './wake.ts';

export const START_MODES = ['auto', 'first_text', 'first_reply'] as const;
export type StartMode = (typeof START_MODES)[number];

export const UNKNOWN_POLICIES = ['at_most_once', 'confirmed_absent', 'at_least_once'] as const;
export type UnknownPolicy = (typeof UNKNOWN_POLICIES)[number];

export const BUSY_POLICIES = ['send', 'delay', 'skip'] as const;
export type BusyPolicy = (typeof BUSY_POLICIES)[number];

/** What an org decides about a campaign before its launch. */
export interface CampaignDraft {
  readonly name: string;
  readonly listId: string;
  readonly scriptVersionId: string;
  readonly poolId: string;
  readonly programme: string | null;
  readonly startMode: StartMode;
  readonly unknownPolicy: UnknownPolicy;
  readonly hoursStartMinute: number;
  readonly hoursEndMinute: number;
  readonly hoursDays: number[];
  readonly hoursBlackout: string[];
  readonly segmentsPerSecond: number | null;
  readonly replyWindowSeconds: number;
  readonly startsAt: Date | string | null;
  readonly startsAtLocal: string | null;
  readonly busyPolicy: BusyPolicy;
  readonly busyMinutes: number;
  readonly finishBy: Date | string | null;
  readonly maxOpenReplies: number | null;
  readonly brakeMinTexts: number;
  readonly brakeFailures: number | null;
  readonly brakeOptOuts: number | null;
  readonly brakeViolations: number | null;
}

export interface CampaignView extends CampaignDraft {
  readonly id: string;
  readonly state: CampaignState;
  readonly fence: number;
  readonly accountId: string;
  readonly startsAt: Date | null;
  readonly finishBy: Date | null;
  readonly launchedAt: Date | null;
  readonly repliesClosedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly stateReason: string | null;
  readonly createdAt: Date;
  /** Null while none of its texts was written to an archive. */
  readonly archive: CampaignArchive | null;
}

export const ARCHIVE_STATES = ['archiving', 'archived', 'purging', 'purged'] as const;

/** What became of the texts of a campaign that is over for long; instants are ISO 8601, UTC. */
export interface CampaignArchive {
  readonly state: (typeof ARCHIVE_STATES)[number];
  readonly archivedAt: string | null;
  readonly purgedAt: string | null;
}

const VIEW = `c.id, c.name, c.state::text as state, c.fence, c.list_id as "listId", c.script_version_id as "scriptVersionId",
  c.pool_id as "poolId", c.account_id as "accountId", c.programme, c.start_mode::text as "startMode", c.unknown_policy::text as "unknownPolicy",
  c.hours_start_minute as "hoursStartMinute", c.hours_end_minute as "hoursEndMinute", c.hours_days as "hoursDays",
  c.hours_blackout::text[] as "hoursBlackout", c.segments_per_second as "segmentsPerSecond", c.reply_window_s as "replyWindowSeconds",
  c.starts_at as "startsAt", c.launched_at as "launchedAt", c.replies_closed_at as "repliesClosedAt", c.finished_at as "finishedAt",
  c.state_reason as "stateReason", c.created_at as "createdAt", c.busy_policy as "busyPolicy", c.busy_minutes as "busyMinutes",
  c.finish_by as "finishBy", c.max_open_replies as "maxOpenReplies", c.brake_min_texts as "brakeMinTexts",
  c.brake_failures as "brakeFailures", c.brake_opt_outs as "brakeOptOuts", c.brake_violations as "brakeViolations",
  c.starts_at_local as "startsAtLocal", case when c.state in ('finished', 'cancelled') then coalesce(
    (select jsonb_build_object('state', case when a.purged_at is not null then 'purged' when a.purge_asked_at is not null then 'purging' else 'archived' end,
                               'archivedAt', ${iso('a.archived_at')}, 'purgedAt', ${iso('a.purged_at')}) from campaign_archive a where a.campaign_id = c.id),
    (select jsonb_build_object('state', 'archiving', 'archivedAt', null, 'purgedAt', null) from archive_chunk k where k.campaign_id = c.id limit 1)) end as archive`;

/** List, script version and pool as this org sees them: a foreign one is not there. */
const REFERENCES = `
refs as (
  select (select l.id from contact_list l where l.id = $2::uuid) as list_id,
         (select v.id from script_version v where v.id = $3::uuid) as script_version_id,
         p.id as pool_id, p.account_id
    from (select 1) one left join sender_pool p on p.id = $4::uuid)`;
const SETTINGS = `$5, $6, $7::campaign_start_mode, $8::unknown_policy, $9::int, $10::int, $11::int[], $12::text[]::date[], $13::float8, $14::int, $15::timestamptz,
  $16, $17::int, $18::timestamptz, $19::int, $20::int, $21::float8, $22::float8, $23::float8, $24`;
const SETTING_COLUMNS = `name, programme, start_mode, unknown_policy, hours_start_minute, hours_end_minute, hours_days, hours_blackout,
  segments_per_second, reply_window_s, starts_at, busy_policy, busy_minutes, finish_by, max_open_replies, brake_min_texts,
  brake_failures, brake_opt_outs, brake_violations, starts_at_local`;
const COMPLETE = `r.list_id is not null and r.script_version_id is not null and r.pool_id is not null`;

/** The campaign as it was saved, or which of what it names does not exist. */
export interface SavedCampaign {
  readonly missing: readonly ('listId' | 'scriptVersionId' | 'poolId')[];
  readonly saved: boolean;
}

export async function insertCampaign(
  tenant: TenantDatabase,
  campaignId: string,
  { draft, actor }: { readonly draft: CampaignDraft; readonly actor: string },
): Promise<SavedCampaign> {
  const rows = await tenant.query<SavedRow>(
    `with ${REFERENCES},
     c as (
       insert into campaign (id, org_id, list_id, script_version_id, pool_id, account_id, ${SETTING_COLUMNS})
       select $1::uuid, current_org(), r.list_id, r.script_version_id, r.pool_id, r.account_id, ${SETTINGS} from refs r where ${COMPLETE}
       returning id, org_id, name),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $25::uuid, org_id, $26, 'campaign.create', 'campaign', id, jsonb_build_object('name', name) from c)
     select r.list_id, r.script_version_id, r.pool_id, (select count(*)::int from c) as saved from refs r`,
    ...draftParameters(campaignId, draft),
    newId(),
    actor,
  );
  return toSaved(rows);
}

/** Writes a changed draft over the one that was read under this fence; the campaign must be checked anew. */
export async function updateCampaign(
  tenant: TenantDatabase,
  campaign: { readonly id: string; readonly fence: number },
  { draft, actor }: { readonly draft: CampaignDraft; readonly actor: string },
): Promise<SavedCampaign> {
  const rows = await tenant.query<SavedRow>(
    `with ${REFERENCES},
     c as (
       update campaign c set (list_id, script_version_id, pool_id, account_id, ${SETTING_COLUMNS}) =
              row(r.list_id, r.script_version_id, r.pool_id, r.account_id, ${SETTINGS}), state = 'draft', fence = c.fence + 1
         from refs r where c.id = $1::uuid and c.fence = $27::int and c.state in ('draft', 'checked') and ${COMPLETE}
       returning c.id, c.org_id),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $25::uuid, org_id, $26, 'campaign.edit', 'campaign', id from c)
     select r.list_id, r.script_version_id, r.pool_id, (select count(*)::int from c) as saved from refs r`,
    ...draftParameters(campaign.id, draft),
    newId(),
    actor,
    campaign.fence,
  );
  return toSaved(rows);
}

export async function findCampaign(
  tenant: TenantDatabase,
  campaignId: string,
): Promise<CampaignView | null> {
  const [row] = await tenant.query<CampaignView>(
    `select ${VIEW} from campaign c where c.id = $1::uuid`,
    campaignId,
  );
  return row ?? null;
}

export async function listCampaigns(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<CampaignView>> {
  const rows = await tenant.query<CampaignView>(
    `select ${VIEW} from campaign c where ${pageBy('c')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

/** Says that no more replies are waited for, and rings the campaign; false when its state does not allow it. */
export async function closeReplies(
  tenant: TenantDatabase,
  campaignId: string,
  actor: string,
): Promise<boolean> {
  const rows = await tenant.query(
    `with c as (
       update campaign set replies_closed_at = coalesce(replies_closed_at, now())
        where id = $1::uuid and state in ('launched', 'running', 'paused') returning id, org_id),
     rung as (
       insert into outbox (kind, ref_id) select 'wake_campaign', id from c
       ${RING_AGAIN}),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $2::uuid, org_id, $3, 'campaign.close_replies', 'campaign', id from c)
     select 1 as done from c`,
    campaignId,
    newId(),
    actor,
  );
  return rows.length > 0;
}

/** Notes who changed a running campaign's rate. */
export async function auditRate(
  tenant: TenantDatabase,
  change: {
    readonly campaignId: string;
    readonly segmentsPerSecond: number;
    readonly actor: string;
  },
): Promise<void> {
  await tenant.query(
    `insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
     values ($1::uuid, current_org(), $2, 'campaign.set_rate', 'campaign', $3::uuid, jsonb_build_object('segmentsPerSecond', $4::float8))
     returning 1 as done`,
    newId(),
    change.actor,
    change.campaignId,
    change.segmentsPerSecond,
  );
}

interface SavedRow {
  readonly list_id: string | null;
  readonly script_version_id: string | null;
  readonly pool_id: string | null;
  readonly saved: number;
}

function draftParameters(campaignId: string, draft: CampaignDraft): unknown[] {
  return [
    campaignId,
    draft.listId,
    draft.scriptVersionId,
    draft.poolId,
    draft.name,
    draft.programme,
    draft.startMode,
    draft.unknownPolicy,
    draft.hoursStartMinute,
    draft.hoursEndMinute,
    draft.hoursDays,
    draft.hoursBlackout,
    draft.segmentsPerSecond,
    draft.replyWindowSeconds,
    draft.startsAt,
    draft.busyPolicy,
    draft.busyMinutes,
    draft.finishBy,
    draft.maxOpenReplies,
    draft.brakeMinTexts,
    draft.brakeFailures,
    draft.brakeOptOuts,
    draft.brakeViolations,
    draft.startsAtLocal,
  ];
}

function toSaved(rows: readonly SavedRow[]): SavedCampaign {
  const [row] = rows;
  const missing = [
    ...(row?.list_id == null ? (['listId'] as const) : []),
    ...(row?.script_version_id == null ? (['scriptVersionId'] as const) : []),
    ...(row?.pool_id == null ? (['poolId'] as const) : []),
  ];
  return { missing, saved: row?.saved === 1 };
}
