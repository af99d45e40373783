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
  readonly evidence: string | null;
  readonly evidenceMessageId: string | null;
  readonly createdAt: Date;
  readonly liftedAt: Date | null;
  readonly liftedBy: string | null;
}

/** Columns of a suppression `s` as the API shows them. */
export const SUPPRESSION_VIEW = `s.id, s.scope::text as scope, s.programme, s.address, s.reason, s.source,
  s.evidence, s.evidence_message_id as "evidenceMessageId", s.created_at as "createdAt", s.lifted_at as "liftedAt", s.lifted_by as "liftedBy"`;

/**
 * Suppresses one person for the whole org, or for one of its programmes. Only the row: what is planned for them is skipped, with
 * its counters, by `settleStop` after this commit; until then the claim already refuses them.
 */
export async function insertSuppression(
  tenant: TenantDatabase,
  person: {
    readonly address: string;
    readonly programme: string | null;
    readonly reason: string;
    readonly evidence: string | null;
    readonly actor: string;
  },
): Promise<{ readonly suppression: SuppressionView; readonly fresh: boolean }> {
  const [made] = await tenant.query<SuppressionView>(
    `with s as (
       insert into suppression (id, org_id, scope, programme, address, reason, source, evidence)
       values ($1::uuid, current_org(), case when $6::text is null then 'org' else 'programme' end::suppression_scope, $6, $2, $3, 'api', $7)
       on conflict do nothing returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $4::uuid, org_id, $5, 'suppression.create', 'suppression', id from s)
     select ${SUPPRESSION_VIEW} from s`,
    newId(),
    person.address,
    person.reason,
    newId(),
    person.actor,
    person.programme,
    person.evidence,
  );
  if (made !== undefined) return { suppression: made, fresh: true };
  const [known] = await tenant.query<SuppressionView>(
    `select ${SUPPRESSION_VIEW} from suppression s where s.address = $1 and s.programme is not distinct from $2 and s.scope <> 'platform' and s.lifted_at is null`,
    person.address,
    person.programme,
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

/** Suppresses many people at once; returns those that were not suppressed before. Numbers stand once in `addresses`. */
export async function insertSuppressions(
  tenant: TenantDatabase,
  many: {
    readonly addresses: readonly string[];
    readonly programme: string | null;
    readonly reason: string;
    readonly evidence: string | null;
  },
): Promise<string[]> {
  const rows = await tenant.query<{ address: string }>(
    `insert into suppression (id, org_id, scope, programme, address, reason, source, evidence)
     select a.id, current_org(), case when $3::text is null then 'org' else 'programme' end::suppression_scope, $3, a.address, $4, 'import', $5
       from unnest($1::uuid[], $2::text[]) a(id, address) order by a.address
     on conflict do nothing returning address`,
    many.addresses.map(() => newId()),
    many.addresses,
    many.programme,
    many.reason,
    many.evidence,
  );
  return rows.map((row) => row.address);
}

/** Notes an import of suppressions. */
export async function auditImport(
  tenant: TenantDatabase,
  note: { readonly actor: string; readonly accepted: number; readonly reason: string },
): Promise<void> {
  await tenant.query(
    `insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
     values ($1::uuid, current_org(), $2, 'suppression.import', 'org', current_org(), jsonb_build_object('accepted', $3::int, 'reason', $4::text))
     returning 1 as done`,
    newId(),
    note.actor,
    note.accepted,
    note.reason,
  );
}

/** All suppressions of an org by (address, id), lifted ones too, page by page. */
export async function listAllSuppressions(
  tenant: TenantDatabase,
  after: { readonly address: string; readonly id: string; readonly limit: number },
): Promise<SuppressionView[]> {
  return tenant.query<SuppressionView>(
    `select ${SUPPRESSION_VIEW} from suppression s where (s.address, s.id) > ($1, $2::uuid) order by s.address, s.id limit $3::int`,
    after.address,
    after.id,
    after.limit,
  );
}

/**
 * Lifts a suppression on evidence of consent later than the opt-out, which is kept. Null: there is none;
 * `lifted` is false when it already was, `tooOld` when the evidence is older than the opt-out.
 */
export async function liftSuppression(
  tenant: TenantDatabase,
  lift: {
    readonly suppressionId: string;
    readonly evidence: string;
    readonly givenAt: Date | null;
    readonly actor: string;
  },
): Promise<{
  readonly suppression: SuppressionView;
  readonly lifted: boolean;
  readonly tooOld: boolean;
} | null> {
  const [done] = await tenant.query<SuppressionView>(
    `with s as (
       update suppression set lifted_at = now(), lifted_by = $3 where id = $1::uuid and lifted_at is null
          and coalesce($6::timestamptz, now()) > created_at returning *),
     given as (
       insert into consent (id, org_id, address, kind, source, evidence, at)
       select $4::uuid, org_id, address, 'given', 'api', $2, coalesce($6::timestamptz, now()) from s),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $5::uuid, org_id, $3, 'suppression.lift', 'suppression', id, jsonb_build_object('evidence', $2::text) from s)
     select ${SUPPRESSION_VIEW} from s`,
    lift.suppressionId,
    lift.evidence,
    lift.actor,
    newId(),
    newId(),
    lift.givenAt,
  );
  if (done !== undefined) return { suppression: done, lifted: true, tooOld: false };
  const [known] = await tenant.query<SuppressionView>(
    `select ${SUPPRESSION_VIEW} from suppression s where s.id = $1::uuid`,
    lift.suppressionId,
  );
  return known === undefined
    ? null
    : { suppression: known, lifted: false, tooOld: known.liftedAt === null };
}
