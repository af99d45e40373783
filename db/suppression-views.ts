import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';

export interface SuppressionView {
  readonly id: string;
  readonly scope: 'programme' | 'org' | 'platform';
  readonly programme: string | null;
  readonly address: string;
  readonly reason: string;
  readonly source: string;
  readonly evidenceMessageId: string | null;
  readonly createdAt: Date;
  readonly liftedAt: Date | null;
  readonly liftedBy: string | null;
}

/** Columns of a suppression `s` as the API shows them. */
export const SUPPRESSION_VIEW = `s.id, s.scope::text as scope, s.programme, s.address, s.reason, s.source,
  s.evidence_message_id as "evidenceMessageId", s.created_at as "createdAt", s.lifted_at as "liftedAt", s.lifted_by as "liftedBy"`;

/**
 * Suppresses one person for the whole org. Only the row: what is planned for them is skipped, with
 * its counters, by `settleStop` after this commit; until then the claim already refuses them.
 */
export async function insertSuppression(
  tenant: TenantDatabase,
  person: { readonly address: string; readonly reason: string; readonly actor: string },
): Promise<{ readonly suppression: SuppressionView; readonly fresh: boolean }> {
  const [made] = await tenant.query<SuppressionView>(
    `with s as (
       insert into suppression (id, org_id, scope, address, reason, source)
       values ($1::uuid, current_org(), 'org', $2, $3, 'api') on conflict do nothing returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $4::uuid, org_id, $5, 'suppression.create', 'suppression', id from s)
     select ${SUPPRESSION_VIEW} from s`,
    newId(),
    person.address,
    person.reason,
    newId(),
    person.actor,
  );
  if (made !== undefined) return { suppression: made, fresh: true };
  const [known] = await tenant.query<SuppressionView>(
    `select ${SUPPRESSION_VIEW} from suppression s where s.address = $1 and s.scope = 'org' and s.lifted_at is null`,
    person.address,
  );
  if (known === undefined) throw new Error('could not insert a suppression that is not there');
  return { suppression: known, fresh: false };
}

export async function listSuppressions(
  tenant: TenantDatabase,
  page: PageRequest,
  address: string | null,
): Promise<Page<SuppressionView>> {
  const rows = await tenant.query<SuppressionView>(
    `select ${SUPPRESSION_VIEW} from suppression s where ${address === null ? '' : 's.address = $4 and '} ${pageBy('s')}`,
    ...pageParameters(page),
    ...(address === null ? [] : [address]),
  );
  return toPage(rows, page.limit);
}

/** Lifts a suppression on evidence of consent, which is kept. `lifted` is false when it already was. */
export async function liftSuppression(
  tenant: TenantDatabase,
  lift: { readonly suppressionId: string; readonly evidence: string; readonly actor: string },
): Promise<{ readonly suppression: SuppressionView; readonly lifted: boolean } | null> {
  const [done] = await tenant.query<SuppressionView>(
    `with s as (
       update suppression set lifted_at = now(), lifted_by = $3 where id = $1::uuid and lifted_at is null returning *),
     given as (
       insert into consent (id, org_id, address, kind, source, evidence)
       select $4::uuid, org_id, address, 'given', 'api', $2 from s),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $5::uuid, org_id, $3, 'suppression.lift', 'suppression', id, jsonb_build_object('evidence', $2::text) from s)
     select ${SUPPRESSION_VIEW} from s`,
    lift.suppressionId,
    lift.evidence,
    lift.actor,
    newId(),
    newId(),
  );
  if (done !== undefined) return { suppression: done, lifted: true };
  const [known] = await tenant.query<SuppressionView>(
    `select ${SUPPRESSION_VIEW} from suppression s where s.id = $1::uuid`,
    lift.suppressionId,
  );
  return known === undefined ? null : { suppression: known, lifted: false };
}
