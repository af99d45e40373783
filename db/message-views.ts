import {
  asJsonArray,
  findArchived,
  LINES_AS_MESSAGES,
  readConversationLines,
  withArchived,
  type Archives,
} from './archived-texts.ts';
import type { TenantDatabase } from './client.ts';
import { SUPPRESSION_VIEW, type SuppressionView } from './suppression-views.ts';
import type { DeliveryStatus } from '../domain/delivery-status.ts';

export const MESSAGE_STATES = [
  'planned',
  'sending',
  'accepted',
  'rejected',
  'skipped',
  'unknown',
  'lost',
  'received',
] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

export interface MessageView {
  readonly id: string;
  readonly direction: 'outbound' | 'inbound';
  readonly purpose: string;
  readonly state: MessageState;
  readonly delivery: DeliveryStatus;
  readonly address: string;
  readonly sender: string | null;
  readonly campaignId: string | null;
  readonly conversationId: string | null;
  readonly contactId: string | null;
  readonly step: string | null;
  readonly try: number;
  readonly retryOf: string | null;
  readonly body: string;
  readonly encoding: 'gsm7' | 'ucs2' | null;
  readonly segments: number | null;
  readonly providerMessageId: string | null;
  readonly errorCode: number | null;
  readonly reason: string | null;
  readonly createdAt: Date;
  readonly acceptedAt: Date | null;
  readonly finalAt: Date | null;
}

/** Columns of a message `m` as lists show them. */
export const MESSAGE_VIEW = `m.id, m.direction::text as direction, m.purpose::text as purpose, m.state::text as state, m.delivery::text as delivery,
  m.address, m.sender, m.campaign_id as "campaignId", m.conversation_id as "conversationId", m.contact_id as "contactId", m.step, m.try::int as try,
  m.retry_of as "retryOf", m.body, m.encoding::text as encoding, m.segments::int as segments, m.provider_message_id as "providerMessageId",
  m.error_code as "errorCode", m.reason, m.created_at as "createdAt", m.accepted_at as "acceptedAt", m.final_at as "finalAt"`;

export interface MessageDetail extends MessageView {
  readonly channel: string;
  readonly driver: 'pool' | 'conversation';
  readonly priority: number;
  readonly accountId: string;
  readonly poolId: string | null;
  readonly senderId: string | null;
  readonly programme: string | null;
  readonly wave: number;
  readonly media: string[];
  readonly dueAt: Date | null;
  readonly notAfter: Date | null;
  readonly attempt: number;
  readonly claimedAt: Date | null;
  readonly leaseUntil: Date | null;
  readonly reconcileAt: Date | null;
  readonly reconcileReads: number;
  readonly arrivalSeq: number | null;
  readonly providerKeyword: string | null;
  readonly priceMicros: string | null;
  readonly currency: string | null;
  readonly priceSource: string | null;
  readonly campaignState: string | null;
}

const DETAIL = `${MESSAGE_VIEW}, m.channel, m.driver::text as driver, m.priority::int as priority, m.account_id as "accountId",
  m.pool_id as "poolId", m.sender_id as "senderId", m.programme, m.wave::int as wave, m.media, m.due_at as "dueAt", m.not_after as "notAfter",
  m.attempt::int as attempt, m.claimed_at as "claimedAt", m.lease_until as "leaseUntil", m.reconcile_at as "reconcileAt",
  m.reconcile_reads::int as "reconcileReads", m.arrival_seq as "arrivalSeq", m.provider_keyword as "providerKeyword",
  m.price_micros::text as "priceMicros", m.currency::text as currency, m.price_source as "priceSource"`;

/**
 * Newest first by id, archived ones among them; a campaign's are its outbound texts. The state is a literal, so that partial
 * indexes serve it.
 */
export async function listMessages(
  archives: Archives,
  slice: {
    readonly beforeId: string;
    readonly limit: number;
    readonly campaignId?: string;
    readonly state?: MessageState;
  },
): Promise<MessageView[]> {
  const { campaignId, state } = slice;
  const conditions = [
    'm.id < $1::uuid',
    ...(campaignId === undefined ? [] : ["m.campaign_id = $3::uuid and m.direction = 'outbound'"]),
    ...(state === undefined ? [] : [`m.state = '${state}'`]),
  ];
  const rows = await archives.reader.query<MessageView>(
    `select ${MESSAGE_VIEW} from message m where ${conditions.join(' and ')} order by m.id desc limit $2::int`,
    slice.beforeId,
    slice.limit,
    ...(campaignId === undefined ? [] : [campaignId]),
  );
  return withArchived(archives, rows, { ...slice, view: MESSAGE_VIEW });
}

/** A text and what was noted about it; purged: it may have been among texts that were purged. */
export type MessageTrace =
  | {
      readonly message: MessageDetail;
      readonly events: readonly MessageEvent[];
      readonly tries: readonly MessageView[];
    }
  | 'purged'
  | null;

const TRACED = `${DETAIL}, c.state::text as "campaignState"`;

/** All that is known about one text, wherever it is kept. */
export async function traceMessage(archives: Archives, messageId: string): Promise<MessageTrace> {
  const { reader } = archives;
  const [row] = await reader.query<MessageDetail>(
    `select ${TRACED} from message m left join campaign c on c.id = m.campaign_id where m.id = $1::uuid`,
    messageId,
  );
  if (row !== undefined) {
    const [events, tries] = await Promise.all([
      listMessageEvents(reader, messageId),
      listTries(archives, row),
    ]);
    return { message: row, events, tries };
  }
  const found = await findArchived(archives, messageId);
  if (found === null || found === 'purged') return found;
  const line = asJsonArray([found.line]);
  const [message] = await reader.query<MessageDetail>(
    `select ${TRACED} from ${LINES_AS_MESSAGES} m left join campaign c on c.id = m.campaign_id`,
    line,
  );
  if (message === undefined) return null;
  const events = await reader.query<MessageEvent>(
    `select ${EVENT} from jsonb_array_elements($1::jsonb) l cross join lateral jsonb_populate_recordset(null::provider_event, l->'events') e
      order by e.at, e.id limit 500`,
    line,
  );
  return { message, events, tries: await listTries(archives, message, found.neighbours) };
}

export interface MessageEvent {
  readonly id: string;
  readonly at: Date;
  readonly kind: 'status' | 'send_outcome' | 'reconciled' | 'skipped';
  readonly status: DeliveryStatus | null;
  readonly providerMessageId: string | null;
  readonly errorCode: number | null;
  readonly detail: unknown;
}

const EVENT = `e.id, e.at, e.kind::text as kind, e.status::text as status, e.provider_message_id as "providerMessageId",
            e.error_code as "errorCode", e.detail`;

/** What was noted about a text, in the order it came; 500 at most. */
async function listMessageEvents(
  reader: Archives['reader'],
  messageId: string,
): Promise<MessageEvent[]> {
  return reader.query<MessageEvent>(
    `select ${EVENT} from provider_event e where e.message_id = $1::uuid order by e.at, e.id limit 500`,
    messageId,
  );
}

/**
 * The other tries of the same text: of the same conversation and step, and what it is a retry of. A text of no conversation has
 * its tries beside it, because their ids bear the same instant.
 */
async function listTries(
  archives: Archives,
  message: MessageDetail,
  neighbours: readonly string[] = [],
): Promise<MessageView[]> {
  const lines =
    message.conversationId === null
      ? neighbours
      : (await readConversationLines(archives, message.conversationId)).lines;
  const isTry = `m.id <> $2::uuid and (m.id in (select id from earlier)
          or m.conversation_id = $4::uuid and m.direction = 'outbound' and m.purpose = $5::message_purpose
             and m.step is not distinct from $6 and ($5 = 'campaign' or m.retry_of is not null))`;
  const rows = await archives.reader.query<MessageView>(
    `with recursive archived as materialized (select * from ${LINES_AS_MESSAGES} l),
     earlier as (
       select id, retry_of from (select id, retry_of from message where id = $3::uuid union all select id, retry_of from archived where id = $3::uuid) t
       union all
       select p.id, p.retry_of from earlier e join lateral (
         select id, retry_of from message where id = e.retry_of union all select id, retry_of from archived where id = e.retry_of) p on true),
     near as (
       select id from earlier
       union select s.id from message s where s.conversation_id = $4::uuid and s.direction = 'outbound')
     select ${MESSAGE_VIEW} from message m where m.id in (select id from near) and ${isTry}
      union all
     select ${MESSAGE_VIEW} from archived m where ${isTry}
      order by "try", id limit 100`,
    asJsonArray(lines),
    message.id,
    message.retryOf,
    message.conversationId,
    message.direction === 'outbound' ? message.purpose : 'inbound',
    message.step,
  );
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}

/** The opt-out that kept a text back: the newest from before it was skipped. */
export async function findSuppressionOf(
  tenant: TenantDatabase,
  message: MessageDetail,
): Promise<SuppressionView | null> {
  const [row] = await tenant.query<SuppressionView>(
    `select ${SUPPRESSION_VIEW} from suppression s
      where s.address = $1 and s.created_at <= coalesce($2::timestamptz, now()) order by s.created_at desc limit 1`,
    message.address,
    message.finalAt,
  );
  return row ?? null;
}
