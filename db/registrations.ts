import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';
import { burstOf } from './permits.ts';

export const REGISTRATION_KINDS = [
  '10dlc_campaign',
  '10dlc_brand',
  'toll_free',
  'short_code',
] as const;
export type RegistrationKind = (typeof REGISTRATION_KINDS)[number];

/** A carrier registration whose limits its senders share. */
export interface RegistrationView {
  readonly id: string;
  readonly kind: RegistrationKind;
  readonly externalId: string;
  readonly segmentsPerSecond: number | null;
  readonly segmentsPerDay: number | null;
  readonly createdAt: Date;
}

const VIEW = `r.id, r.kind, r.external_id as "externalId", r.segments_per_second::float8 as "segmentsPerSecond",
  r.segments_per_day as "segmentsPerDay", r.created_at as "createdAt"`;

/** A day's bucket holds this part of the day's segments, and fills at the rest: no 24 hours pass the cap. */
const DAY_BURST = 0.04;

/** Makes a registration with its buckets: segments a second, and segments a day. */
export async function insertRegistration(
  tenant: TenantDatabase,
  registration: {
    readonly kind: RegistrationKind;
    readonly externalId: string;
    readonly segmentsPerSecond: number | null;
    readonly segmentsPerDay: number | null;
    readonly actor: string;
  },
): Promise<RegistrationView> {
  const [row] = await tenant.query<RegistrationView>(
    `with r as (
       insert into registration (id, org_id, kind, external_id, segments_per_second, segments_per_day)
       values ($1::uuid, current_org(), $2, $3, $4::float8, $5::int) returning *),
     buckets as (
       insert into permit_bucket (kind, ref_id, segments_per_second, burst, tokens)
       select 'registration'::bucket_kind, id, $4::float8, ${burstOf('$4::float8')}, ${burstOf('$4::float8')} from r where $4::float8 is not null
       union all
       select 'registration_day'::bucket_kind, id, $5::int * ${1 - DAY_BURST} / 86400, greatest(1, $5::int * ${DAY_BURST}), greatest(1, $5::int * ${DAY_BURST})
         from r where $5::int is not null),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $6::uuid, org_id, $7, 'registration.create', 'registration', id, jsonb_build_object('externalId', external_id) from r)
     select ${VIEW} from r`,
    newId(),
    registration.kind,
    registration.externalId,
    registration.segmentsPerSecond,
    registration.segmentsPerDay,
    newId(),
    registration.actor,
  );
  if (row === undefined) throw new Error('could not insert a registration');
  return row;
}

export async function listRegistrations(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<RegistrationView>> {
  const rows = await tenant.query<RegistrationView>(
    `select ${VIEW} from registration r where ${pageBy('r')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}
