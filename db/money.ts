import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';

/** What an org may spend, and has. Millionths of the currency, as whole numbers in text. */
export interface BudgetView {
  readonly capMicros: string;
  readonly reservedMicros: string;
  readonly spentMicros: string;
  readonly currency: string;
  readonly updatedAt: Date;
}

const BUDGET = `b.cap_micros::text as "capMicros", b.reserved_micros::text as "reservedMicros", b.spent_micros::text as "spentMicros",
  b.currency::text as currency, b.updated_at as "updatedAt"`;

export async function findBudget(tenant: TenantDatabase): Promise<BudgetView | null> {
  const [row] = await tenant.query<BudgetView>(
    `select ${BUDGET} from budget b where b.org_id = current_org()`,
  );
  return row ?? null;
}

/** Sets an org's cap; null when it has spent in another currency, which no cap could then count. */
export async function setBudget(
  tenant: TenantDatabase,
  budget: { readonly capMicros: string; readonly currency: string; readonly actor: string },
): Promise<BudgetView | null> {
  const [row] = await tenant.query<BudgetView>(
    `with b as (
       insert into budget (org_id, cap_micros, currency, reserved_micros)
       -- Texts that are out already will be settled too.
       select current_org(), $1::bigint, $2, coalesce(sum(m.price_micros), 0) from (
         select price_micros, currency from message where state = 'sending' and lease_until > '-infinity'
          union all select price_micros, currency from message where state = 'unknown') m where m.currency = $2
       on conflict (org_id) do update set cap_micros = excluded.cap_micros, currency = excluded.currency, updated_at = now()
        where budget.currency = excluded.currency or (budget.reserved_micros = 0 and budget.spent_micros = 0)
       returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $3::uuid, org_id, $4, 'budget.set', 'org', org_id, jsonb_build_object('capMicros', $1::text, 'currency', $2::text) from b)
     select ${BUDGET} from b`,
    budget.capMicros,
    budget.currency,
    newId(),
    budget.actor,
  );
  return row ?? null;
}

/** The price of a segment. */
export interface RateView {
  readonly id: string;
  readonly provider: string;
  readonly country: string | null;
  readonly direction: 'outbound' | 'inbound';
  readonly priceMicros: string;
  readonly currency: string;
  readonly source: string;
  readonly validFrom: string;
  readonly own: boolean;
}

const RATE = `r.id, r.provider, r.country::text as country, r.direction::text as direction, r.price_micros::text as "priceMicros",
  r.currency::text as currency, r.source, r.valid_from::text as "validFrom", r.org_id is not null as own`;

/** Prices in the order in which they count: the org's own first, a country's before the one for all, the latest first. */
export async function listRates(tenant: TenantDatabase): Promise<RateView[]> {
  return tenant.query<RateView>(
    `select ${RATE} from rate_card r order by r.provider, r.org_id nulls last, r.country nulls last, r.valid_from desc limit 1000`,
  );
}

/** Sets an org's own price from a day on; the same day again replaces it. */
export async function setRate(
  tenant: TenantDatabase,
  rate: {
    readonly provider: string;
    readonly country: string | null;
    readonly priceMicros: string;
    readonly currency: string;
    readonly source: string;
    readonly validFrom: string;
    readonly actor: string;
  },
): Promise<RateView> {
  const [row] = await tenant.query<RateView>(
    `with r as (
       insert into rate_card (id, org_id, provider, country, direction, price_micros, currency, source, valid_from)
       values ($1::uuid, current_org(), $2, $3, 'outbound', $4::bigint, $5, $6, $7::date)
       on conflict (org_id, provider, country, channel, direction, valid_from) do update
          set price_micros = excluded.price_micros, currency = excluded.currency, source = excluded.source
       returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $8::uuid, org_id, $9, 'rate.set', 'rate_card', id,
              jsonb_build_object('country', country, 'priceMicros', price_micros::text, 'currency', currency) from r)
     select ${RATE} from r`,
    newId(),
    rate.provider,
    rate.country,
    rate.priceMicros,
    rate.currency,
    rate.source,
    rate.validFrom,
    newId(),
    rate.actor,
  );
  if (row === undefined) throw new Error('could not set a rate');
  return row;
}
