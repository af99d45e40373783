import type { Create } from '../support/stack/journals.ts';
import type { LaunchedCampaign } from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';

/** Texts that the provider made, by the person they went to, of people whose numbers begin like this. */
export async function createdFor(stack: Stack, area: string): Promise<Map<string, Create[]>> {
  const byPerson = new Map<string, Create[]>();
  for (const create of await stack.creates()) {
    if (create.sid === null || !create.to.startsWith(`+1${area}`)) continue;
    byPerson.set(create.to, [...(byPerson.get(create.to) ?? []), create]);
  }
  return byPerson;
}

/** Those of them with one body twice: the same text was made a second time. */
export function repeated(byPerson: ReadonlyMap<string, readonly Create[]>): string[] {
  return [...byPerson].flatMap(([person, creates]) =>
    new Set(creates.map(({ body }) => body)).size === creates.length ? [] : [person],
  );
}

/** Fault points that have struck, as `point action`. */
export function struck(stack: Stack): string[] {
  return stack.strikes.map(({ point, action }) => `${point} ${action}`);
}

/** How often each inbound text, by its provider id, stands in the ledger. */
export async function storedInbound(stack: Stack): Promise<Map<string, number>> {
  const rows = await stack.database.query<{ sid: string; n: number }>(
    `select provider_message_id as sid, count(*)::int as n from message where direction = 'inbound' group by 1`,
  );
  return new Map(rows.map(({ sid, n }) => [sid, n]));
}

/** The state of a person's texts of one campaign, oldest try first. */
export async function textsTo(
  stack: Stack,
  campaign: LaunchedCampaign,
  person: string,
): Promise<{ id: string; state: string; reason: string | null }[]> {
  return stack.database.query(
    `select id, state::text as state, reason from message
      where campaign_id = $1::uuid and address = $2 and direction = 'outbound' and purpose = 'campaign' order by try`,
    campaign.id,
    person,
  );
}
