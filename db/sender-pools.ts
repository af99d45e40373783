import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';

export interface SenderPoolView {
  readonly id: string;
  readonly name: string;
  readonly accountId: string;
  readonly createdAt: Date;
}

export interface SenderView {
  readonly id: string;
  readonly e164: string;
  readonly segmentsPerSecond: number;
  readonly state: 'active' | 'held' | 'stopped';
  readonly stateReason: string | null;
  readonly registrationId: string | null;
}

const VIEW = `p.id, p.name, p.account_id as "accountId", p.created_at as "createdAt"`;
const SENDER_VIEW = `s.id, s.e164, s.segments_per_second::float8 as "segmentsPerSecond", s.state::text as state,
  s.state_reason as "stateReason", s.registration_id as "registrationId"`;

/** Whether the account exists, and the new pool: null when the name is taken. */
export async function insertSenderPool(
  tenant: TenantDatabase,
  pool: { readonly name: string; readonly accountId: string; readonly actor: string },
): Promise<{ readonly accountFound: boolean; readonly pool: SenderPoolView | null }> {
  const [row] = await tenant.query<SenderPoolView & { readonly found: number }>(
    `with a as (select id, org_id from provider_account where id = $2::uuid),
     p as (
       insert into sender_pool (id, org_id, account_id, name) select $1::uuid, org_id, id, $3 from a
       on conflict (org_id, name) do nothing returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $4::uuid, org_id, $5, 'sender_pool.create', 'sender_pool', id, jsonb_build_object('name', name) from p)
     select (select count(*)::int from a) as found, ${VIEW} from (select 1) one left join p on true`,
    newId(),
    pool.accountId,
    pool.name,
    newId(),
    pool.actor,
  );
  if (row === undefined) throw new Error('could not insert a sender pool');
  const { found, ...view } = row;
  return { accountFound: found === 1, pool: (view.id as string | null) === null ? null : view };
}

export async function listSenderPools(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<SenderPoolView>> {
  const rows = await tenant.query<SenderPoolView>(
    `select ${VIEW} from sender_pool p where ${pageBy('p')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

export async function findSenderPool(
  tenant: TenantDatabase,
  poolId: string,
): Promise<SenderPoolView | null> {
  const [row] = await tenant.query<SenderPoolView>(
    `select ${VIEW} from sender_pool p where p.id = $1::uuid`,
    poolId,
  );
  return row ?? null;
}

export async function listSenders(tenant: TenantDatabase, poolId: string): Promise<SenderView[]> {
  return tenant.query<SenderView>(
    `select ${SENDER_VIEW} from sender s where s.pool_id = $1::uuid order by s.e164`,
    poolId,
  );
}

/**
 * Adds senders with their permit buckets, all or none. A number that the account already has keeps
 * all out: `taken` names those numbers.
 */
const ADD_SENDERS = `
with p as (select id, org_id, account_id from sender_pool where id = $1::uuid),
e as (select * from unnest($2::uuid[], $3::text[], $4::float8[], $7::uuid[]) e(id, e164, rate, registration_id)),
foreigners as (select e.registration_id from e where e.registration_id is not null and not exists (select 1 from registration r where r.id = e.registration_id)),
taken as (select s.e164 from sender s join p on p.account_id = s.account_id join e on e.e164 = s.e164),
s as (
  insert into sender (id, org_id, account_id, pool_id, e164, segments_per_second, registration_id)
  select e.id, p.org_id, p.account_id, p.id, e.e164, e.rate, e.registration_id from p, e
   where not exists (select 1 from taken) and not exists (select 1 from foreigners)
  returning *),
buckets as (
  insert into permit_bucket (kind, ref_id, segments_per_second, burst, tokens)
  select 'sender', id, segments_per_second, 1, 1
    from s order by id),
audited as (
  insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
  select $5::uuid, p.org_id, $6, 'sender_pool.add_senders', 'sender_pool', p.id,
         jsonb_build_object('senders', (select count(*) from s)) from p where exists (select 1 from s))
select (select count(*)::int from p) as found, (select count(*)::int from foreigners) as unknown_registrations,
       coalesce((select array_agg(e164 order by e164) from taken), '{}') as taken,
       coalesce((select jsonb_agg(to_jsonb(v) order by v.e164) from (select ${SENDER_VIEW} from s) v), '[]') as senders`;

export interface AddedSenders {
  readonly found: boolean;
  /** False when a registration that was named does not exist. */
  readonly registrationsFound: boolean;
  readonly taken: readonly string[];
  readonly senders: readonly SenderView[];
}

export async function addSenders(
  tenant: TenantDatabase,
  add: {
    readonly poolId: string;
    readonly senders: readonly {
      readonly e164: string;
      readonly segmentsPerSecond: number;
      readonly registrationId?: string | null | undefined;
    }[];
    readonly actor: string;
  },
): Promise<AddedSenders> {
  const [row] = await tenant.query<{
    found: number;
    unknown_registrations: number;
    taken: string[];
    senders: SenderView[];
  }>(
    ADD_SENDERS,
    add.poolId,
    add.senders.map(() => newId()),
    add.senders.map((sender) => sender.e164),
    add.senders.map((sender) => sender.segmentsPerSecond),
    newId(),
    add.actor,
    add.senders.map((sender) => sender.registrationId ?? null),
  );
  return {
    found: row?.found === 1,
    registrationsFound: row?.unknown_registrations === 0,
    taken: row?.taken ?? [],
    senders: row?.senders ?? [],
  };
}
