import type { HeldMonth, MonthState } from '../domain/retention.ts';
import type { Database, TenantDatabase } from './client.ts';
import { newId } from './ids.ts';

/** Reports that are kept. */
const KEPT = 1_000;

export const HOUSEKEEPING_JOBS = ['housekeeping', 'archive'] as const;

/** What a round of housekeeping did. */
export interface HousekeepingReport {
  readonly job: (typeof HOUSEKEEPING_JOBS)[number];
  /** ISO 8601. */
  readonly startedAt: string;
  /** How much of what, by name. */
  readonly done: Readonly<Record<string, number>>;
  readonly held: readonly HeldMonth[];
  /** Why it did not come to its end; null: it did. */
  readonly problem: string | null;
}

/** Keeps a report, and the newest thousand of those before. */
export async function insertReport(database: Database, report: HousekeepingReport): Promise<void> {
  await database.query(
    `with kept as (
       insert into housekeeping_report (id, job, started_at, done, held, problem)
       values ($1::uuid, $2, $3::timestamptz, $4::jsonb, $5::jsonb, $6) returning 1),
     old as (
       delete from housekeeping_report where id in (select id from housekeeping_report order by id desc offset ${KEPT - 1}))
     select 1 as done from kept`,
    newId(),
    report.job,
    report.startedAt,
    JSON.stringify(report.done),
    JSON.stringify(report.held),
    report.problem,
  );
}

export interface HousekeepingView extends Pick<HousekeepingReport, 'job' | 'problem'> {
  readonly id: string;
  readonly startedAt: Date;
  readonly done: Record<string, number>;
  readonly held: (Omit<HeldMonth, 'campaignIds'> & { readonly campaignIds: string[] })[];
  readonly finishedAt: Date;
}

/** The newest reports; of campaigns that keep a partition, the org sees the ids of its own. */
export async function listReports(
  tenant: TenantDatabase,
  slice: { readonly beforeId: string; readonly limit: number; readonly job?: string | undefined },
): Promise<HousekeepingView[]> {
  return tenant.query<HousekeepingView>(
    `select r.id, r.job, r.started_at as "startedAt", r.finished_at as "finishedAt", r.done, r.problem,
            coalesce((select jsonb_agg(h || jsonb_build_object('campaignIds', coalesce(
                (select jsonb_agg(c.id order by c.id) from campaign c where h->'campaignIds' ? c.id::text), '[]')))
               from jsonb_array_elements(r.held) h), '[]') as held
       from housekeeping_report r where r.id < $1::uuid and ($3::text is null or r.job = $3) order by r.id desc limit $2::int`,
    slice.beforeId,
    slice.limit,
    slice.job ?? null,
  );
}

export interface PartitionView {
  readonly parent: HeldMonth['parent'];
  readonly month: string;
  readonly state: Exclude<MonthState, 'attached'>;
}

/** Every month that is on its way out of the ledger, or left it, the newest first. */
export async function listPartitions(tenant: TenantDatabase): Promise<PartitionView[]> {
  return tenant.query<PartitionView>(
    `select parent, to_char(month, 'YYYY-MM-DD') as month, state from archived_month order by month desc, parent`,
  );
}
