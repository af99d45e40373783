import { z } from '@hono/zod-openapi';
import { CONVERSATION_STATES } from '../../db/conversation-views.ts';
import { MESSAGE_STATES } from '../../db/message-views.ts';
import { DELIVERY_STATUSES } from '../../domain/delivery-status.ts';
import { PageQuery } from '../paging.ts';
import { id, phone, text, time } from './common.ts';

const address = z
  .string()
  .describe('The person’s number: in full for keys with the scope admin, else its last digits.');

export const MessageSchema = z
  .object({
    id: id('The text.'),
    direction: z.enum(['outbound', 'inbound']).describe('Out: to the person.'),
    purpose: z.string().describe('Why it is sent.'),
    state: z.enum(MESSAGE_STATES).describe('What became of it.'),
    delivery: z.enum(DELIVERY_STATUSES).describe('What the carrier says; it only rises.'),
    address,
    sender: z.string().nullable().describe('Our number. E.164; null until it is chosen.'),
    campaignId: id('Its campaign.').nullable(),
    conversationId: id('Its conversation.').nullable(),
    contactId: id('The person.').nullable(),
    step: z.string().nullable().describe('The step of the script that it says.'),
    try: z.int().describe('Counts from 1; a retry is a text of its own.'),
    retryOf: id('The text that it repeats.').nullable(),
    body: z.string().describe('What it says.'),
    encoding: z.enum(['gsm7', 'ucs2']).nullable().describe('What it is sent in.'),
    segments: z.int().nullable().describe('What it bills as.'),
    providerMessageId: z.string().nullable().describe('The provider’s id of it.'),
    errorCode: z.int().nullable().describe('The provider’s error number.'),
    reason: z.string().nullable().describe('Why it was skipped, rejected or is unknown.'),
    createdAt: time('When it was planned or came in.'),
    acceptedAt: time('When the provider took it.').nullable(),
    finalAt: time('When its state became final.').nullable(),
  })
  .openapi('Message');

const MessageEventSchema = z.object({
  id: id('The event; ids sort by time.'),
  at: time('When it was noted.'),
  kind: z
    .enum(['status', 'send_outcome', 'reconciled', 'skipped'])
    .describe('status: a delivery report. send_outcome: an attempt that did not plainly succeed.'),
  status: z.enum(DELIVERY_STATUSES).nullable().describe('What the report says.'),
  providerMessageId: z.string().nullable().describe('The provider’s id of the text.'),
  errorCode: z.int().nullable().describe('The provider’s error number.'),
  detail: z.record(z.string(), z.unknown()).describe('What else is known.'),
});

export const SuppressionSchema = z
  .object({
    id: id('The suppression.'),
    scope: z.enum(['programme', 'org', 'platform']).describe('How far it reaches.'),
    programme: z.string().nullable().describe('Of which programme, if of one.'),
    address: z.string().describe('The number that is not texted. E.164.'),
    reason: z.string().describe('Why.'),
    source: z.string().describe('reply, provider, api, import, script or person.'),
    evidence: z.string().nullable().describe('What shows that it was asked for, in words.'),
    evidenceMessageId: id('The text that asked for it.').nullable(),
    createdAt: time('Since when.'),
    liftedAt: time('Until when; null: still.').nullable(),
    liftedBy: z.string().nullable().describe('Who lifted it.'),
  })
  .openapi('Suppression');

export const MessageTraceSchema = MessageSchema.extend({
  channel: z.string().describe('sms.'),
  driver: z.enum(['pool', 'conversation']).describe('Who sends it.'),
  priority: z.int().describe('0 is first.'),
  accountId: id('The provider account.'),
  poolId: id('The pool.').nullable(),
  senderId: id('The sender.').nullable(),
  programme: z.string().nullable().describe('The programme.'),
  wave: z.int().describe('The wave of its campaign.'),
  media: z.array(z.string()).describe('What is attached.'),
  dueAt: time('Not before this instant.').nullable(),
  notAfter: time('Not after this instant.').nullable(),
  attempt: z.int().describe('Claims so far.'),
  claimedAt: time('When it was last claimed.').nullable(),
  leaseUntil: time('Until when its claim is trusted.').nullable(),
  reconcileAt: time('When it is next looked for at the provider.').nullable(),
  reconcileReads: z.int().describe('Complete looks that did not find it.'),
  arrivalSeq: z.int().nullable().describe('The how-manieth inbound text of its conversation.'),
  providerKeyword: z
    .string()
    .nullable()
    .describe('The keyword that the provider answered by itself.'),
  priceMicros: z
    .string()
    .nullable()
    .describe('Millionths of the currency; a whole number as text.'),
  currency: z.string().nullable().describe('ISO 4217.'),
  priceSource: z.string().nullable().describe('Where the price comes from.'),
  campaignState: z.string().nullable().describe('The state of its campaign now.'),
  events: z.array(MessageEventSchema).describe('In the order they came.'),
  tries: z.array(MessageSchema).describe('The other tries of the same text.'),
  suppression: SuppressionSchema.nullable().describe('The opt-out that kept it back.'),
}).openapi('MessageTrace');

export const MessagesQuery = PageQuery.extend({
  state: z.enum(MESSAGE_STATES).optional().describe('Only texts in this state.'),
});

export const ConversationSchema = z
  .object({
    id: id('The conversation.'),
    kind: z.enum(['campaign', 'catch_all']).describe('catch_all: a text that answers no campaign.'),
    state: z.enum(CONVERSATION_STATES).describe('needs_reply: a person must answer.'),
    address,
    sender: z.string().describe('Our number; empty until the first text.'),
    contactId: id('The person.').nullable(),
    campaignId: id('The campaign.').nullable(),
    step: z.string().nullable().describe('Where the script stands; null: not begun or over.'),
    needsReplyReason: z.string().nullable().describe('Why a person must answer.'),
    repliesReceived: z.int().describe('Texts that came in.'),
    lastInAt: time('When the last one came in.').nullable(),
    lastOutAt: time('When the last one went out.').nullable(),
    closesAt: time('Until when a reply is waited for.').nullable(),
    closedAt: time('When it was closed.').nullable(),
    createdAt: time('When it began.'),
  })
  .openapi('Conversation');

export const ConversationDetailSchema = ConversationSchema.extend({
  messages: z.array(MessageSchema).describe('The newest 500, oldest first.'),
  textsPurged: z.boolean().describe('Whether texts of it were purged, and are missing here.'),
  answers: z
    .array(
      z.object({
        step: z.string().describe('The question.'),
        answer: z.string().describe('The key of the answer.'),
        messageId: id('The text that gave it.'),
        at: time('When.'),
      }),
    )
    .describe('The last answer to each question.'),
  tags: z.array(z.string()).describe('Put on by answers.'),
}).openapi('ConversationDetail');

export const ConversationsQuery = PageQuery.extend({
  state: z.enum(CONVERSATION_STATES).optional().describe('Only conversations in this state.'),
  campaignId: z.uuid().optional().describe('Only conversations of this campaign.'),
});

const programmeOf = text(100, 'Only for this programme; left out: for all of the org.');

export const SuppressionsQuery = PageQuery.extend({
  address: phone('Only this number.').optional(),
});

export const CreateSuppressionSchema = z
  .object({
    address: phone('The number that must not be texted.'),
    programme: programmeOf.optional(),
    reason: text(200, 'Why, such as "asked by e-mail".'),
    evidence: text(2_000, 'What shows that it was asked for. Kept.').optional(),
  })
  .openapi('CreateSuppression');

export const ImportSuppressionsQuery = z.object({
  defaultCountry: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be two capital letters')
    .default('US')
    .describe('Where numbers without a country code are, ISO 3166.'),
  programme: programmeOf.optional(),
  reason: text(200, 'Why, such as "list of the former system".'),
  evidence: text(2_000, 'What shows that it was asked for. Kept.').optional(),
});

export const ImportedSuppressionsSchema = z
  .object({
    accepted: z.int().describe('Numbers that are suppressed now and were not before.'),
    known: z.int().describe('Numbers that were suppressed before, or stood in the file twice.'),
    rejected: z.int().describe('Rows without a number that can be texted.'),
    rejects: z
      .array(
        z.object({
          row: z.int().describe('Its line of the file.'),
          reason: z.string().describe('What is wrong with its number.'),
        }),
      )
      .describe('The first 1,000 of them.'),
  })
  .openapi('ImportedSuppressions');

export const LiftSuppressionSchema = z
  .object({
    evidence: text(2_000, 'What shows that the person wants texts again. Kept.'),
    givenAt: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('When the person said so; must be later than the opt-out. Default: now.'),
  })
  .openapi('LiftSuppression');
