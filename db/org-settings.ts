import type { OrgHours } from '../domain/campaign-hours.ts';
import type { HoursLaws } from '../domain/jurisdictions.ts';
import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { burstOf } from './permits.ts';
import { ORG_HOURS } from './planning.ts';
import { RING_AGAIN } from './wake.ts';

/** An org with the limits that hold for all of its campaigns. */
export interface OrgView {
  readonly id: string;
  readonly name: string;
  readonly textsPerDay: number | null;
  readonly textsPerWeek: number | null;
  readonly segmentsPerSecond: number | null;
  readonly optOutScope: 'org' | 'programme';
  readonly hours: OrgHours;
  readonly sendingStoppedAt: Date | null;
  readonly sendingStoppedReason: string | null;
}

/** A rate that limits nothing: a bucket that was made is not taken away again. */
const UNLIMITED = 1_000_000_000;
const HOURS_CHANGED = '($11::text is not null or $12::boolean or $16::text[] is not null)';

const VIEW = `o.id, o.name, o.texts_per_day as "textsPerDay", o.texts_per_week as "textsPerWeek",
  (select nullif(b.segments_per_second, ${UNLIMITED}) from permit_bucket b where b.kind = 'org' and b.ref_id = o.id) as "segmentsPerSecond",
  o.opt_out_scope as "optOutScope", ${ORG_HOURS} as hours, o.sending_stopped_at as "sendingStoppedAt", o.sending_stopped_reason as "sendingStoppedReason"`;

export async function readOrg(tenant: TenantDatabase): Promise<OrgView> {
  const [row] = await tenant.query<OrgView>(`select ${VIEW} from org o where o.id = current_org()`);
  if (row === undefined) throw new Error(`There is no org ${tenant.orgId}`);
  return row;
}

/** The limits of an org; what is left out stays. */
export interface OrgLimits {
  readonly textsPerDay?: number | null | undefined;
  readonly textsPerWeek?: number | null | undefined;
  readonly segmentsPerSecond?: number | null | undefined;
  readonly optOutScope?: 'org' | 'programme' | undefined;
  readonly hoursLaws?: HoursLaws | undefined;
  /** Null takes them away. */
  readonly hours?:
    | {
        readonly startMinute: number;
        readonly endMinute: number;
        readonly days: readonly number[];
      }
    | null
    | undefined;
  readonly blackoutDates?: readonly string[] | undefined;
}

/** Sets an org's limits in one statement: its frequency caps and its bucket. */
export async function changeOrg(
  tenant: TenantDatabase,
  { limits, actor }: { readonly limits: OrgLimits; readonly actor: string },
): Promise<void> {
  await tenant.query(
    `with o as (
       update org set texts_per_day = case when $1::boolean then $2::int else texts_per_day end,
              texts_per_week = case when $3::boolean then $4::int else texts_per_week end,
              opt_out_scope = coalesce($10, opt_out_scope), hours_laws = coalesce($11, hours_laws),
              hours_start_minute = case when $12::boolean then $13::int else hours_start_minute end,
              hours_end_minute = case when $12::boolean then $14::int else hours_end_minute end,
              hours_days = case when $12::boolean then $15::int[] else hours_days end,
              hours_blackout = coalesce($16::text[]::date[], hours_blackout),
              hours_version = hours_version + case when ${HOURS_CHANGED} then 1 else 0 end
        where id = current_org() returning id),
     bucket as (
       insert into permit_bucket (kind, ref_id, segments_per_second, burst, tokens)
       select 'org', id, l.rate, ${burstOf('l.rate')}, ${burstOf('l.rate')} from o, (select coalesce($6::float8, ${UNLIMITED}) as rate) l where $5::boolean
       on conflict (kind, ref_id) do update set segments_per_second = excluded.segments_per_second, burst = excluded.burst,
              tokens = least(permit_bucket.tokens, excluded.burst)),
     -- Changed hours hold at once: what is planned waits until its campaign has worked out the new ones.
     talking as (select c.id from campaign c join o on o.id = c.org_id where ${HOURS_CHANGED} and c.state in ('launched', 'running', 'paused')),
     reopened as (
       update campaign_cursor u set opens_at = null, closes_at = null, no_legal_hour = false from talking t where u.campaign_id = t.id),
     waiting as (
       select m.id from message m join talking t on t.id = m.campaign_id
        where m.state = 'planned' and m.purpose = 'campaign' order by m.id for update of m),
     delayed as (
       update message m set due_at = greatest(m.due_at, now() + interval '30 s') from waiting w where m.id = w.id),
     rung as (
       insert into outbox (kind, ref_id) select 'wake_campaign', id from talking order by id
       ${RING_AGAIN}),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $7::uuid, id, $8, 'org.set_limits', 'org', id, $9::jsonb from o)
     select 1 as done from o`,
    limits.textsPerDay !== undefined,
    limits.textsPerDay ?? null,
    limits.textsPerWeek !== undefined,
    limits.textsPerWeek ?? null,
    limits.segmentsPerSecond !== undefined,
    limits.segmentsPerSecond ?? null,
    newId(),
    actor,
    JSON.stringify(limits),
    limits.optOutScope ?? null,
    limits.hoursLaws ?? null,
    limits.hours !== undefined,
    limits.hours?.startMinute ?? null,
    limits.hours?.endMinute ?? null,
    limits.hours?.days ?? null,
    limits.blackoutDates ?? null,
  );
}
