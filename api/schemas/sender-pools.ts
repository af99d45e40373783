import { z } from '@hono/zod-openapi';
import { id, rate, text, time } from './common.ts';

export const CreateSenderPoolSchema = z
  .object({
    name: text(200, 'Unique in the org.'),
    accountId: id('The provider account whose senders it holds.'),
  })
  .openapi('CreateSenderPool');

export const SenderPoolSchema = z
  .object({
    id: id('The pool.'),
    name: z.string().describe('Its name.'),
    accountId: id('Its provider account.'),
    createdAt: time('When it was made.'),
  })
  .openapi('SenderPool');

export const SenderSchema = z
  .object({
    id: id('The sender.'),
    e164: z.string().describe('The number that texts are sent from. E.164.'),
    segmentsPerSecond: rate('How fast it may send.'),
    state: z.enum(['active', 'held', 'stopped']).describe('Only an active sender is used.'),
    stateReason: z.string().nullable().describe('Why it is held or stopped.'),
    registrationId: id('The carrier registration whose limits it shares.').nullable(),
  })
  .openapi('Sender');

export const SenderPoolDetailSchema = SenderPoolSchema.extend({
  senders: z.array(SenderSchema).describe('By number.'),
  totals: z.object({
    senders: z.int().describe('Senders in all.'),
    active: z.int().describe('Senders that are used.'),
    segmentsPerSecond: z.number().describe('What the active ones may send together.'),
  }),
}).openapi('SenderPoolDetail');

export const AddSendersSchema = z
  .object({
    senders: z
      .array(
        z.object({
          e164: z
            .string()
            .regex(/^\+[1-9]\d{2,14}$/, 'must be E.164, such as +12125550123')
            .describe('The number. E.164.'),
          segmentsPerSecond: rate('How fast it may send.'),
          registrationId: id('A carrier registration whose limits it shares.')
            .nullable()
            .optional(),
        }),
      )
      .min(1)
      .max(1_000)
      .refine(
        (senders) => new Set(senders.map((sender) => sender.e164)).size === senders.length,
        'must name each number once',
      )
      .describe('1 to 1,000 senders; all are added or none.'),
  })
  .openapi('AddSenders');

export const AddedSendersSchema = z
  .object({ senders: z.array(SenderSchema).describe('The added senders, by number.') })
  .openapi('AddedSenders');
