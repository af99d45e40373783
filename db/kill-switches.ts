/**
 * Switches that stop sending at once: of an org, of a sender, of the deployment. Every claim reads them in its
 * own statement, so after the commit only texts whose right to start had been given may still leave, within 500 ms.
 */
import type { Database, TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { RING_AGAIN, wakePools } from './wake.ts';

export interface SwitchChange {
  readonly actor: string;
  readonly reason: string | null;
}

const RING = `rung as (
  insert into outbox (kind, ref_id) select 'wake_pool', id from woken order by id
  ${RING_AGAIN})`;

/** Stops or resumes everything that the org sends. A second stop keeps the first one's time. */
export async function switchOrg(
  tenant: TenantDatabase,
  on: boolean,
  { actor, reason }: SwitchChange,
): Promise<void> {
  await tenant.query(
    `with o as (
       update org set sending_stopped_at = case when $1::boolean then null else coalesce(sending_stopped_at, now()) end,
              sending_stopped_reason = case when $1::boolean then null else $2 end
        where id = current_org() returning id),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $3::uuid, id, $4, case when $1::boolean then 'org.resume_sending' else 'org.stop_sending' end, 'org', id,
              jsonb_build_object('reason', $2::text) from o),
     ${wakePools('select p.id as pool_id from sender_pool p, o where $1::boolean and p.org_id = o.id')},
     ${RING}
     select 1 as done from o`,
    on,
    reason,
    newId(),
    actor,
  );
}

/** Stops or resumes one sender; null when there is none. Returns the state that it has now. */
export async function switchSender(
  tenant: TenantDatabase,
  { senderId, on }: { readonly senderId: string; readonly on: boolean },
  { actor, reason }: SwitchChange,
): Promise<'active' | 'stopped' | null> {
  const [row] = await tenant.query<{ state: 'active' | 'stopped' }>(
    `with s as (
       update sender set state = case when $2::boolean then 'active' else 'stopped' end::sender_state, state_reason = $3, held_until = null
        where id = $1::uuid returning id, org_id, pool_id, state),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $4::uuid, org_id, $5, case when $2::boolean then 'sender.resume' else 'sender.stop' end, 'sender', id,
              jsonb_build_object('reason', $3::text) from s),
     ${wakePools('select pool_id from s where $2::boolean')},
     ${RING}
     select state::text as state from s`,
    senderId,
    on,
    on ? null : reason,
    newId(),
    actor,
  );
  return row?.state ?? null;
}

/** Texts of the org, or of one of its senders, whose POST may still start or has not been recorded. */
export async function countOnTheWire(
  tenant: TenantDatabase,
  senderId: string | null = null,
): Promise<number> {
  const [row] = await tenant.query<{ n: number }>(
    `select count(*)::int as n from message where state = 'sending' and lease_until > '-infinity'
        and ($1::uuid is null or sender_id = $1::uuid)`,
    senderId,
  );
  return row?.n ?? 0;
}

/** Stops or resumes everything that this deployment sends; returns whether this call changed it. As gw_engine. */
export async function switchDeployment(
  database: Pick<Database, 'query'>,
  on: boolean,
  reason: string | null,
): Promise<boolean> {
  const [row] = await database.query<{ changed: boolean }>(
    `with was as (select stopped_at from deployment where id = 1 for update),
     d as (
       update deployment set stopped_at = case when $1::boolean then null else coalesce(deployment.stopped_at, now()) end,
              stopped_reason = case when $1::boolean then null else $2 end
        where id = 1 returning 1),
     ${wakePools('select id as pool_id from sender_pool where $1::boolean')},
     ${RING}
     select (stopped_at is null) <> $1::boolean as changed from was`,
    on,
    reason,
  );
  return row?.changed ?? false;
}
