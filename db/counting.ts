/** One counter that changes by one for each row: its kind, an SQL expression of its value, and the direction. */
export type Count = readonly [kind: string, value: string, sign: 1 | -1];

/** A select of counter changes, in the columns of counter_delta, for the rows of `source` that have a campaign. */
export function countRows(source: string, counts: readonly Count[]): string {
  const values = counts.map(([kind, value, sign]) => `('${kind}', ${value}, ${sign})`).join(', ');
  return `select u.org_id, u.campaign_id, v.kind, v.value, v.sign * count(*) from ${source} u, (values ${values}) v(kind, value, sign)
   where u.campaign_id is not null group by 1, 2, 3, 4, v.sign`;
}
