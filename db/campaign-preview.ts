import type { OrgHours } from '../domain/campaign-hours.ts';
import type { TenantDatabase } from './client.ts';
import { ORG_HOURS } from './planning.ts';

/** What a preview needs besides the list: the script, the pool, the account. */
export interface PreviewBasis {
  readonly graph: unknown;
  readonly provider: string;
  readonly accountState: 'active' | 'stopped';
  readonly activeSenders: number;
  readonly poolRate: number;
  readonly orgHours: OrgHours;
}

export async function findPreviewBasis(
  tenant: TenantDatabase,
  campaignId: string,
): Promise<PreviewBasis | null> {
  const [row] = await tenant.query<PreviewBasis>(
    `select v.graph, a.provider, a.state::text as "accountState", coalesce(s.n, 0)::int as "activeSenders",
            coalesce(s.rate, 0)::float8 as "poolRate", ${ORG_HOURS} as "orgHours"
       from campaign c join org o on o.id = c.org_id join script_version v on v.id = c.script_version_id join provider_account a on a.id = c.account_id
       left join lateral (
         select count(*) as n, sum(s.segments_per_second) as rate from sender s where s.pool_id = c.pool_id and s.state = 'active') s on true
      where c.id = $1::uuid`,
    campaignId,
  );
  return row ?? null;
}

/** The people of a list, by the rules by which a launch freezes its audience; takes $1 = list, $2 = programme. */
const PERSON = `
person as (
  select k.id, k.country::text as country, k.zone_set_id, m.import_id, m.row_no, k.first_name, k.last_name, k.fields,
         case when k.e164 is null then 'no_number'
              when k.state <> 'active' then k.state::text
              when exists (select 1 from suppression s where s.address = k.e164 and s.lifted_at is null
                            and (s.programme is null or s.programme = $2)) then 'opted_out' end as left_out
    from contact_list_member m join contact k on k.id = m.contact_id where m.list_id = $1::uuid)`;
const MERGE = `p.id, p.country, p.fields || jsonb_build_object('first_name', p.first_name, 'last_name', p.last_name) as merge`;

/** Which list, and for which programme opt-outs count. */
export interface AudienceOf {
  readonly listId: string;
  readonly programme: string | null;
}

export interface AudienceGroup {
  readonly leftOut: string | null;
  readonly zones: string[];
  readonly places: string[];
  readonly n: number;
}

/** How many people of the list would be texted or left out, by their zones. */
export async function countAudience(
  tenant: TenantDatabase,
  audience: AudienceOf,
): Promise<AudienceGroup[]> {
  return tenant.query<AudienceGroup>(
    `with ${PERSON}, n as (select left_out, zone_set_id, count(*)::int as n from person group by 1, 2)
     select n.left_out as "leftOut", z.zones, z.places, n.n from n join zone_set z on z.id = n.zone_set_id`,
    audience.listId,
    audience.programme,
  );
}

export interface PreviewPerson {
  readonly id: string;
  readonly country: string | null;
  readonly merge: Record<string, unknown>;
}

/** Up to ten people at even distances over the list's order. */
export async function sampleAudience(
  tenant: TenantDatabase,
  audience: AudienceOf,
): Promise<PreviewPerson[]> {
  return tenant.query<PreviewPerson>(
    `with ${PERSON}, n as (
       select person.*, row_number() over (order by import_id, row_no, id) as nth, count(*) over () as size from person where left_out is null)
     select ${MERGE} from n p where (p.nth - 1) % greatest(1, p.size / 10) = 0 order by p.nth limit 10`,
    audience.listId,
    audience.programme,
  );
}

/** A page of the audience by id. */
export async function listAudiencePage(
  tenant: TenantDatabase,
  audience: AudienceOf & { readonly afterId: string; readonly limit: number },
): Promise<PreviewPerson[]> {
  return tenant.query<PreviewPerson>(
    `with ${PERSON} select ${MERGE} from person p where p.left_out is null and p.id > $3::uuid order by p.id limit $4::int`,
    audience.listId,
    audience.programme,
    audience.afterId,
    audience.limit,
  );
}

/** People picked by a hash of their id: the same ones each time, in no order that the list has. */
export async function hashAudience(
  tenant: TenantDatabase,
  audience: AudienceOf & { readonly limit: number },
): Promise<PreviewPerson[]> {
  return tenant.query<PreviewPerson>(
    `with ${PERSON} select ${MERGE} from person p where p.left_out is null order by md5(p.id::text) limit $3::int`,
    audience.listId,
    audience.programme,
    audience.limit,
  );
}

/** How many of the audience have no value for each field. */
export async function countMissingFields(
  tenant: TenantDatabase,
  audience: AudienceOf & { readonly fields: readonly string[] },
): Promise<{ readonly field: string; readonly n: number }[]> {
  return tenant.query(
    `with ${PERSON}
     select f.field, count(*)::int as n from person p cross join unnest($3::text[]) f(field)
      where p.left_out is null and coalesce(btrim(case f.field when 'first_name' then p.first_name when 'last_name' then p.last_name
                                                     else p.fields->>f.field end), '') = ''
      group by 1 order by 1`,
    audience.listId,
    audience.programme,
    audience.fields,
  );
}

export interface Price {
  readonly country: string | null;
  readonly own: boolean;
  readonly priceMicros: string;
  readonly currency: string;
  readonly source: string;
}

/** Today's prices of an outbound SMS segment, the one that counts first. */
export async function listPrices(tenant: TenantDatabase, provider: string): Promise<Price[]> {
  return tenant.query<Price>(
    `select country::text as country, org_id is not null as own, price_micros::text as "priceMicros", currency::text as currency, source
       from rate_card where provider = $1 and direction = 'outbound' and channel = 'sms' and valid_from <= now()::date
      order by org_id nulls last, country nulls last, valid_from desc`,
    provider,
  );
}
