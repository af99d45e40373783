/** In which states the money of a text is reserved, and in which it is spent. */
const HELD = `in ('sending', 'unknown')`;
const PAID = `= 'accepted'`;

const change = (state: string): string =>
  `sum(price_micros * ((state ${state})::int - (was ${state})::int))`;

/**
 * CTEs that settle the org's budget for rows that change their state: `source` holds org_id, price_micros, currency,
 * state and was (the state before). What is on the wire or unknown is reserved, what was accepted is
 * spent, everything else gives its reserve back. An org without a budget has no row to change. Budgets are locked by
 * org: batches of several orgs never wait for each other in a ring.
 */
export function settleBudget(source: string): string {
  return `accounts as materialized (
  select b.org_id from budget b where b.org_id in (select org_id from ${source} where state::text <> was::text) order by b.org_id for update),
accounts_settled as (
  update budget b set reserved_micros = b.reserved_micros + t.reserved, spent_micros = b.spent_micros + t.spent, updated_at = now()
    from (select org_id, currency, coalesce(${change(HELD)}, 0) as reserved, coalesce(${change(PAID)}, 0) as spent
            from ${source} group by 1, 2) t
   where b.org_id = t.org_id and b.currency = t.currency and (t.reserved <> 0 or t.spent <> 0) and b.org_id in (select org_id from accounts))`;
}
