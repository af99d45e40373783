import type { Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';

export interface TexterIds {
  readonly orgId: string;
  readonly accountId: string;
}

/** Adds texts that were sent, and delivered, all with ids of the same instant as those of a campaign have. */
export async function addSentTexts(
  database: Database,
  { orgId, accountId }: TexterIds,
  texts: { readonly count: number; readonly campaignId?: string; readonly body?: string },
): Promise<void> {
  await database.query(
    `insert into message (id, org_id, direction, purpose, state, delivery, priority, account_id, sender, address, campaign_id, conversation_id,
                          body, encoding, segments, due_at, not_after, accepted_at, final_at, provider_message_id, price_micros, currency)
     select (substr(uuid_floor(now())::text, 1, 14) || '8' || substr(h.hex, 1, 3) || '-8' || substr(h.hex, 4, 3) || '-' || substr(h.hex, 7, 12))::uuid,
            $1::uuid, 'outbound', 'campaign', 'accepted', 'delivered', 3, $2::uuid, '+12125550101', '+1212' || (2000000 + i), $3::uuid,
            gen_random_uuid(), $4, 'gsm7', 1, now(), now() + interval '1 hour', now(), now(), 'SM' || h.hex, 8300, 'USD'
       from generate_series(1, $5::int) i, md5(i::text || $6) h(hex) returning 1 as done`,
    orgId,
    accountId,
    texts.campaignId ?? null,
    texts.body ?? 'Hi Ada, will you vote? Reply STOP to opt out.',
    texts.count,
    newId(),
  );
}

export interface ExportWish {
  readonly format?: 'csv' | 'ndjson';
  readonly campaignId?: string;
  readonly createdFrom?: Date;
  readonly createdTo?: Date;
  readonly fullNumbers?: boolean;
  /** The moment whose texts it holds; default: now. */
  readonly createdAt?: Date;
}

/** Asks for an export as the API does; returns its id. */
export async function addExport(
  database: Database,
  orgId: string,
  wish: ExportWish = {},
): Promise<string> {
  const id = newId();
  await database.query(
    `insert into export (id, org_id, kind, format, campaign_id, created_from, created_to, full_numbers, created_at)
     values ($1::uuid, $2::uuid, 'messages', $3, $4::uuid, $5::timestamptz, $6::timestamptz, $7::boolean, coalesce($8::timestamptz, now()))
     returning 1 as done`,
    id,
    orgId,
    wish.format ?? 'csv',
    wish.campaignId ?? null,
    wish.createdFrom ?? null,
    wish.createdTo ?? null,
    wish.fullNumbers ?? true,
    wish.createdAt ?? null,
  );
  return id;
}
