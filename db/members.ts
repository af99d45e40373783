import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';

export const MEMBER_ROLES = ['owner', 'admin', 'supervisor', 'texter', 'auditor'] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];

/** A person of an org. */
export interface MemberView {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: MemberRole;
  readonly suspendedAt: Date | null;
  readonly createdAt: Date;
}

const VIEW = `m.id, m.email, m.name, m.role, m.suspended_at as "suspendedAt", m.created_at as "createdAt"`;

/** Null when the org has a member of this address. */
export async function insertMember(
  tenant: TenantDatabase,
  member: {
    readonly email: string;
    readonly name: string;
    readonly role: MemberRole;
    readonly actor: string;
  },
): Promise<MemberView | null> {
  const [row] = await tenant.query<MemberView>(
    `with m as (
       insert into member (id, org_id, email, name, role) values ($1::uuid, current_org(), $2, $3, $4)
       on conflict (org_id, email) do nothing returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $5::uuid, org_id, $6, 'member.create', 'member', id, jsonb_build_object('role', role) from m)
     select ${VIEW} from m`,
    newId(),
    member.email,
    member.name,
    member.role,
    newId(),
    member.actor,
  );
  return row ?? null;
}

export async function listMembers(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<MemberView>> {
  const rows = await tenant.query<MemberView>(
    `select ${VIEW} from member m where ${pageBy('m')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

/** Suspends a member with all of their keys, or takes them back; null when there is none. */
export async function suspendMember(
  tenant: TenantDatabase,
  { memberId, suspended }: { readonly memberId: string; readonly suspended: boolean },
  actor: string,
): Promise<MemberView | null> {
  const [row] = await tenant.query<MemberView>(
    `with m as (
       update member set suspended_at = case when $2::boolean then coalesce(suspended_at, now()) end where id = $1::uuid returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $3::uuid, org_id, $4, case when $2::boolean then 'member.suspend' else 'member.reinstate' end, 'member', id from m)
     select ${VIEW} from m`,
    memberId,
    suspended,
    newId(),
    actor,
  );
  return row ?? null;
}
