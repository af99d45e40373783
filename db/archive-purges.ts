import { chunkPrefix } from './archive-slices.ts';
import type { Database, TenantDatabase } from './client.ts';
import { newId } from './ids.ts';

/** Chunks that nobody reads from now on; `$1` is the campaign. */
const HIDE = `update archive_chunk k set purge_at = now() from asked a where k.campaign_id = a.campaign_id and k.purge_at is null`;

/**
 * Asks for the texts of an archived campaign to be removed for good. From the commit on nobody reads them; the files follow.
 * False where the campaign is not archived, or was purged before.
 */
export async function askForPurge(
  tenant: TenantDatabase,
  campaignId: string,
  actor: string,
): Promise<boolean> {
  const rows = await tenant.query(
    `with asked as (
       update campaign_archive set purge_asked_at = now(), purge_asked_by = $2 where campaign_id = $1::uuid and purge_asked_at is null
       returning campaign_id, org_id),
     hidden as (${HIDE}),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $3::uuid, org_id, $2, 'campaign.purge', 'campaign', campaign_id from asked)
     select 1 as done from asked`,
    campaignId,
    actor,
    newId(),
  );
  return rows.length === 1;
}

/** Asks the same for up to a hundred campaigns that were archived too long ago, and hides what else is too old; returns how many. */
export async function askForOldPurges(database: Database, keptDays: number): Promise<number> {
  const rows = await database.query<{ campaign_id: string }>(
    `with asked as (
       update campaign_archive set purge_asked_at = now(), purge_asked_by = 'engine' where campaign_id in (
         select campaign_id from campaign_archive where purge_asked_at is null and archived_at < now() - $1::int * interval '1 day'
          order by archived_at limit 100 for update skip locked) returning campaign_id, org_id),
     hidden as (${HIDE}),
     rest as (
       update archive_chunk k set purge_at = now() from archived_month a
        where k.campaign_id is null and k.purge_at is null and a.parent = 'message' and a.month = k.month
          and a.state in ('verified', 'dropping', 'dropped') and a.verified_at < now() - $1::int * interval '1 day'),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select gen_random_uuid(), org_id, 'engine', 'campaign.purge', 'campaign', campaign_id from asked)
     select campaign_id from asked`,
    keptDays,
  );
  return rows.length;
}

/** Files to remove: of one month, of a purged campaign or of an org's texts without one. */
export interface DuePurge {
  readonly orgId: string;
  readonly campaignId: string | null;
  /** Its first day, `YYYY-MM-DD`. */
  readonly month: string;
}

/**
 * What is to be removed next; what was archived of a campaign after its purge is removed too. A month that is still to be compared
 * keeps its files until then: whoever compares writes what is missing.
 */
export async function listDuePurges(database: Database, limit: number): Promise<DuePurge[]> {
  await database.query(
    `with asked as (select campaign_id from campaign_archive where purge_asked_at is not null and purged_at is null)
     ${HIDE} returning 1 as done`,
  );
  return database.query<DuePurge>(
    `select k.org_id as "orgId", k.campaign_id as "campaignId", to_char(k.month, 'YYYY-MM-DD') as month
       from archive_chunk k join archived_month a on a.parent = 'message' and a.month = k.month and a.state in ('verified', 'dropping', 'dropped')
      where k.purge_at is not null and k.purged_at is null group by 1, 2, 3 order by min(k.purge_at) limit $1::int`,
    limit,
  );
}

/** What the keys of the files of a purge begin with. */
export function purgePrefix({ orgId, campaignId, month }: DuePurge): string {
  return `${chunkPrefix(orgId, campaignId)}${month.slice(0, 7)}/`;
}

/** Says that the files of a purge are gone; the manifest stays, for the report that it adds up to. */
export async function notePurged(database: Database, purge: DuePurge): Promise<void> {
  await database.query(
    `update archive_chunk set purged_at = now() where org_id = $1::uuid and campaign_id is not distinct from $2::uuid and month = $3::date
        and purge_at is not null and purged_at is null returning 1 as done`,
    purge.orgId,
    purge.campaignId,
    purge.month,
  );
}

/** Ends the purges of campaigns of which neither a file nor a detached row is left; returns how many. */
export async function finishPurges(database: Database): Promise<number> {
  const rows = await database.query(
    `update campaign_archive p set purged_at = now() where p.purge_asked_at is not null and p.purged_at is null and not exists (
       select from archive_chunk k join archived_month a on a.parent = 'message' and a.month = k.month
        where k.campaign_id = p.campaign_id and (k.purged_at is null or a.state <> 'dropped')) returning 1 as done`,
  );
  return rows.length;
}
