import { IS_FIRST_TEXT, REJECT_OF } from './archive-slices.ts';
import { IS_LIVE } from './archived-texts.ts';
import { READ_COUNTERS, type CounterRow } from './campaigns.ts';
import type { TenantDatabase } from './client.ts';

export interface ProgressRow {
  readonly state: string;
  readonly startMode: string;
  readonly resolvedStartMode: string | null;
  readonly audience: number;
  readonly leftOut: Record<string, number>;
  readonly launchedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly projectedFinishAt: Date | null;
  readonly openReplies: number;
  readonly counters: readonly CounterRow[];
}

/** An instant inside JSON as everywhere else: ISO 8601, UTC, milliseconds. */
export const iso = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Counters and progress in one snapshot. */
const PROGRESS = `
select c.state::text as state, c.start_mode::text as "startMode", p.resolved_start_mode::text as "resolvedStartMode",
       coalesce(p.audience, 0) as audience, coalesce(p.left_out, '{}') as "leftOut",
       c.launched_at as "launchedAt", c.finished_at as "finishedAt", p.projected_finish_at as "projectedFinishAt",
       (select count(*)::int from conversation v where v.campaign_id = c.id and v.state = 'needs_reply') as "openReplies",
       coalesce((select jsonb_agg(to_jsonb(t)) from (${READ_COUNTERS}) t), '[]') as counters`;

export async function readProgress(
  tenant: TenantDatabase,
  campaignId: string,
): Promise<ProgressRow | null> {
  const [row] = await tenant.query<ProgressRow>(
    `${PROGRESS} from campaign c left join campaign_progress p on p.campaign_id = c.id where c.id = $1::uuid`,
    campaignId,
  );
  return row ?? null;
}

export interface ReportRow extends ProgressRow {
  /** Outbound texts by state, counted row by row. */
  readonly ledger: Record<string, number>;
  readonly firstTexts: number;
  readonly segmentsSent: number;
  readonly rejects: Record<string, number>;
  readonly conversations: Record<string, number>;
  readonly costs: readonly {
    readonly spentMicros: string;
    readonly reservedMicros: string;
    readonly currency: string;
  }[];
  readonly unknownTexts: readonly {
    readonly messageId: string;
    readonly since: string;
    readonly looks: number;
    readonly nextLookAt: string | null;
  }[];
}

/**
 * Progress and the ledger itself in one snapshot, so that they can be compared. Costs a scan of the campaign's texts; of archived
 * ones the manifest says what they come to.
 */
export async function readReport(
  tenant: TenantDatabase,
  campaignId: string,
): Promise<ReportRow | null> {
  const [row] = await tenant.query<ReportRow>(
    `with archived as materialized (select summary from archive_chunk k where k.campaign_id = $1::uuid and ${IS_LIVE}),
     texts as (
       select state, reject, first, sum(n) as n, sum(segments) as segments from (
         select m.state::text as state, ${REJECT_OF} as reject, ${IS_FIRST_TEXT} as first, count(*) as n, coalesce(sum(m.segments), 0) as segments
           from message m where m.campaign_id = $1::uuid and m.direction = 'outbound' group by 1, 2, 3
          union all
         select t.* from archived cross join jsonb_to_recordset(summary->'texts') t(state text, reject text, first boolean, n bigint, segments bigint)) t
        group by 1, 2, 3),
     costs as (
       select jsonb_build_object('currency', currency, 'spentMicros', sum(spent)::text, 'reservedMicros', sum(reserved)::text) as cost from (
         select currency, coalesce(sum(price_micros) filter (where state = 'accepted'), 0) as spent,
                coalesce(sum(price_micros) filter (where state in ('sending', 'unknown')), 0) as reserved
           from message where campaign_id = $1::uuid and direction = 'outbound' and currency is not null group by currency
          union all
         select c.* from archived cross join jsonb_to_recordset(summary->'costs') c(currency text, spent numeric, reserved numeric)) c
        group by currency),
     doubtful as (
       select * from (
         select id, claimed_at, reconcile_looks, reconcile_at from message
          where campaign_id = $1::uuid and direction = 'outbound' and state = 'unknown'
          union all
         select d.*, null from archived cross join jsonb_to_recordset(summary->'doubtful') d(id uuid, claimed_at timestamptz, looks int)) d
        order by id limit 100),
     talks as (select state, count(*) as n from conversation where campaign_id = $1::uuid group by 1)
     ${PROGRESS},
       coalesce((select jsonb_object_agg(state, n) from (select state, sum(n) as n from texts group by 1) t), '{}') as ledger,
       coalesce((select sum(n) from texts where first), 0)::int as "firstTexts",
       coalesce((select sum(segments) from texts where state = 'accepted'), 0)::int as "segmentsSent",
       coalesce((select jsonb_object_agg(reject, n) from (select reject, sum(n) as n from texts where reject is not null group by 1) t), '{}') as rejects,
       coalesce((select jsonb_object_agg(state, n) from talks), '{}') as conversations,
       coalesce((select jsonb_agg(cost) from costs), '[]') as costs,
       coalesce((select jsonb_agg(jsonb_build_object('messageId', id, 'since', ${iso('claimed_at')}, 'looks', reconcile_looks,
                   'nextLookAt', ${iso('reconcile_at')}) order by id) from doubtful), '[]') as "unknownTexts"
       from campaign c left join campaign_progress p on p.campaign_id = c.id where c.id = $1::uuid`,
    campaignId,
  );
  return row ?? null;
}

export interface ReportPerson {
  readonly zoneSetId: number;
  readonly seq: number;
  readonly contactId: string;
  readonly externalId: string | null;
  readonly phone: string;
  readonly state: string | null;
  readonly delivery: string | null;
  readonly reason: string | null;
  readonly errorCode: number | null;
  readonly segments: number | null;
  readonly answers: Record<string, string>;
  readonly optedOut: boolean;
  readonly conversationState: string | null;
}

/** A page of the frozen audience with what became of each person; by (zone set, seq), which its unique index orders. */
export async function listReportPeople(
  tenant: TenantDatabase,
  slice: {
    readonly campaignId: string;
    readonly afterZoneSet: number;
    readonly afterSeq: number;
    readonly limit: number;
  },
): Promise<ReportPerson[]> {
  return tenant.query<ReportPerson>(
    `with page as (
       select * from campaign_contact where campaign_id = $1::uuid and (zone_set_id, seq) > ($2::int, $3::int)
        order by zone_set_id, seq limit $4::int)
     select p.zone_set_id as "zoneSetId", p.seq, p.contact_id as "contactId", k.external_id as "externalId", p.e164 as phone,
            m.state, m.delivery, m.reason, m.error_code as "errorCode", m.segments,
            coalesce((select jsonb_object_agg(a.step, a.answer) from answer_current a where a.conversation_id = p.id), '{}') as answers,
            exists (select 1 from suppression s where s.address = p.e164 and s.lifted_at is null and s.scope <> 'programme') as "optedOut",
            v.state::text as "conversationState"
       from page p left join contact k on k.id = p.contact_id left join conversation v on v.id = p.id
       left join lateral (
         select * from (
           select m.id, m.try::int as try, m.state::text as state, m.delivery::text as delivery, m.reason, m.error_code, m.segments::int as segments
             from message m where m.conversation_id = p.id and m.direction = 'outbound' and m.purpose = 'campaign'
            union all
           select t.message_id, t.try, t.state, t.delivery, t.reason, t.error_code, t.segments
             from archived_conversation t join archive_chunk k on k.id = t.chunk_id
            where t.conversation_id = p.id and t.message_id is not null and ${IS_LIVE}) m
          order by m.try desc, m.id desc limit 1) m on true
      order by p.zone_set_id, p.seq`,
    slice.campaignId,
    slice.afterZoneSet,
    slice.afterSeq,
    slice.limit,
  );
}

/** The script of a campaign, for the names of its questions. */
export async function findCampaignGraph(
  tenant: TenantDatabase,
  campaignId: string,
): Promise<unknown> {
  const [row] = await tenant.query<{ graph: unknown }>(
    'select v.graph from campaign c join script_version v on v.id = c.script_version_id where c.id = $1::uuid',
    campaignId,
  );
  return row?.graph ?? null;
}
