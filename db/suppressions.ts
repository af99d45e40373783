import type { Database } from './client.ts';
import { newId } from './ids.ts';
import { SUPPRESSED_PURPOSES } from './purposes.ts';
import { skipRows } from './skipping.ts';

/** Why a person is kept back of whom a restored database does not know what they were sent: until somebody looked. */
export const REVIEW_REASON = 'recovery_review';

export interface NewSuppression {
  readonly orgId: string;
  readonly address: string;
  readonly reason: string;
  /** reply, provider, api, script or person. */
  readonly source: string;
  readonly evidenceMessageId: string | null;
}

/**
 * Suppresses one person for the whole org and skips what is planned for them, under the row locks
 * that a claim would need. Suppressing twice changes nothing. As with a stop, call `settleStop`
 * afterwards to learn when no POST can start any more.
 */
export async function suppress(
  database: Database,
  suppression: NewSuppression,
): Promise<{ readonly id: string | null }> {
  const [row] = await database.query<{ id: string | null }>(
    `with s as (
       insert into suppression (id, org_id, scope, address, reason, source, evidence_message_id)
       values ($1::uuid, $2::uuid, 'org', $3, $4, $5, $6::uuid) on conflict do nothing returning id),
     l as (
       select id from message where org_id = $2::uuid and address = $3 and state = 'planned'
          and purpose in (${SUPPRESSED_PURPOSES}) order by id for update),
     ${skipRows({ picked: 'l', reason: `'opted_out'` })},
     o as (
       insert into counter_delta (org_id, campaign_id, kind, value, n)
       select m.org_id, m.campaign_id, 'optout', $5, 1 from s join message m on m.id = $6::uuid where m.campaign_id is not null)
     select (select id from s) as id`,
    newId(),
    suppression.orgId,
    suppression.address,
    suppression.reason,
    suppression.source,
    suppression.evidenceMessageId,
  );
  return { id: row?.id ?? null };
}

/**
 * Suppresses a number for every org of the deployment: for legal demands and known litigators, never for an
 * ordinary opt-out. Skips what is planned for it everywhere; false when it was suppressed before. A claim made
 * before may still start its POST within 500 ms.
 */
export async function suppressPlatform(
  database: Pick<Database, 'query'>,
  person: { readonly address: string; readonly reason: string; readonly evidence: string },
): Promise<boolean> {
  const [row] = await database.query<{ fresh: boolean }>(
    `with s as (
       insert into suppression (id, org_id, scope, address, reason, source, evidence)
       values ($1::uuid, null, 'platform', $2, $3, 'person', $4) on conflict do nothing returning id),
     l as (
       select id from message where address = $2 and state = 'planned' and org_id in (select id from org)
          and purpose in (${SUPPRESSED_PURPOSES}) order by id for update),
     ${skipRows({ picked: 'l', reason: `'opted_out'` })}
     select exists (select 1 from s) as fresh`,
    newId(),
    person.address,
    person.reason,
    person.evidence,
  );
  return row?.fresh ?? false;
}

/** Suppresses the people of these texts, which their provider says have opted out. */
export async function suppressReported(
  database: Database,
  messageIds: readonly string[],
): Promise<void> {
  for (const messageId of messageIds) {
    const [message] = await database.query<{ org_id: string; address: string }>(
      'select org_id, address from message where id = $1::uuid',
      messageId,
    );
    if (message === undefined) continue;
    await suppress(database, {
      orgId: message.org_id,
      address: message.address,
      reason: 'provider_blocked',
      source: 'provider',
      evidenceMessageId: messageId,
    });
  }
}
