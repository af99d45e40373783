import {
  asJsonArray,
  LINES_AS_MESSAGES,
  readConversationLines,
  type Archives,
} from './archived-texts.ts';
import type { TenantDatabase } from './client.ts';
import { MESSAGE_VIEW, type MessageView } from './message-views.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';

export const CONVERSATION_STATES = ['automatic', 'needs_reply', 'closed'] as const;
export type ConversationState = (typeof CONVERSATION_STATES)[number];

export interface ConversationView {
  readonly id: string;
  readonly kind: 'campaign' | 'catch_all';
  readonly state: ConversationState;
  readonly address: string;
  readonly sender: string;
  readonly contactId: string | null;
  readonly campaignId: string | null;
  readonly step: string | null;
  readonly needsReplyReason: string | null;
  readonly repliesReceived: number;
  readonly lastInAt: Date | null;
  readonly lastOutAt: Date | null;
  readonly closesAt: Date | null;
  readonly closedAt: Date | null;
  readonly createdAt: Date;
}

const VIEW = `v.id, v.kind::text as kind, v.state::text as state, v.address, v.sender, v.contact_id as "contactId",
  v.campaign_id as "campaignId", v.step, v.needs_reply_reason as "needsReplyReason", v.arrival_seq as "repliesReceived",
  v.last_in_at as "lastInAt", v.last_out_at as "lastOutAt", v.closes_at as "closesAt", v.closed_at as "closedAt", v.created_at as "createdAt"`;

export async function listConversations(
  tenant: TenantDatabase,
  page: PageRequest,
  filter: { readonly state?: ConversationState; readonly campaignId?: string },
): Promise<Page<ConversationView>> {
  const { state, campaignId } = filter;
  const rows = await tenant.query<ConversationView>(
    `select ${VIEW} from conversation v
      where ${state === undefined ? '' : `v.state = '${state}' and`} ${campaignId === undefined ? '' : 'v.campaign_id = $4::uuid and'} ${pageBy('v')}`,
    ...pageParameters(page),
    ...(campaignId === undefined ? [] : [campaignId]),
  );
  return toPage(rows, page.limit);
}

export async function findConversation(
  tenant: TenantDatabase,
  conversationId: string,
): Promise<ConversationView | null> {
  const [row] = await tenant.query<ConversationView>(
    `select ${VIEW} from conversation v where v.id = $1::uuid`,
    conversationId,
  );
  return row ?? null;
}

const NEWEST = `m.conversation_id = $1::uuid order by m.created_at desc, m.id desc limit 500`;

/** The newest 500 texts of a conversation, archived ones among them, oldest first; and whether some were purged. */
export async function listConversationMessages(
  archives: Archives,
  conversationId: string,
): Promise<{ readonly messages: MessageView[]; readonly isPurged: boolean }> {
  const { reader } = archives;
  const rows = await reader.query<MessageView>(
    `select ${MESSAGE_VIEW} from message m where ${NEWEST}`,
    conversationId,
  );
  const { lines, isPurged } = await readConversationLines(archives, conversationId);
  if (lines.length === 0) return { messages: rows.toReversed(), isPurged };
  const archived = await reader.query<MessageView>(
    `select ${MESSAGE_VIEW} from ${LINES_AS_MESSAGES} m where ${NEWEST.replace('$1', '$2')}`,
    asJsonArray(lines),
    conversationId,
  );
  const all = [...new Map([...rows, ...archived].map((row) => [row.id, row])).values()];
  const messages = all
    .toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1))
    .slice(-500);
  return { messages, isPurged };
}

export interface AnswerView {
  readonly step: string;
  readonly answer: string;
  readonly messageId: string;
  readonly at: Date;
}

/** The last answer to each question of a conversation. */
export async function listAnswers(
  tenant: TenantDatabase,
  conversationId: string,
): Promise<AnswerView[]> {
  return tenant.query<AnswerView>(
    `select step, answer, inbound_id as "messageId", at from answer_current where conversation_id = $1::uuid order by at, step`,
    conversationId,
  );
}

export async function listTags(tenant: TenantDatabase, conversationId: string): Promise<string[]> {
  const rows = await tenant.query<{ tag: string }>(
    'select tag from tagging where conversation_id = $1::uuid order by tag',
    conversationId,
  );
  return rows.map((row) => row.tag);
}
