import { z } from '@hono/zod-openapi';
import { REGISTRATION_KINDS } from '../../db/registrations.ts';
import { HOURS_LAWS } from '../../domain/jurisdictions.ts';
import { TextingHoursSchema } from './campaigns.ts';
import { count, id, rate, text, time } from './common.ts';

const perDay = z
  .int()
  .min(1)
  .max(1_000)
  .nullable()
  .describe(
    'Unasked texts to one person in any 24 hours, over all campaigns; null: no cap. Answers to a person do not count.',
  );
const perWeek = perDay.describe('The same for any seven days.');

const optOutScope = z
  .enum(['org', 'programme'])
  .describe(
    'How far a stop reaches: everything of the org, or the programme of the campaign that it answers. "Stop all" always reaches everything.',
  );

const hoursLaws = z
  .enum(HOURS_LAWS)
  .describe(
    'Which laws about telemarketing hours bind the org’s texts: all (federal and of every state the person may be in), federal, or none, where its texts sell nothing and ask for no money. Ask counsel before you change it.',
  );
const OrgHoursSchema = TextingHoursSchema.omit({ blackoutDates: true })
  .describe('The org’s own hours, in which every campaign’s must lie; null: none.')
  .openapi('OrgHours');
const blackoutDates = z
  .array(z.iso.date())
  .max(366)
  .describe('Local dates on which the org texts nobody. YYYY-MM-DD.');

export const OrgSchema = z
  .object({
    id: id('The org.'),
    name: z.string().describe('Its name.'),
    textsPerDay: perDay,
    textsPerWeek: perWeek,
    segmentsPerSecond: z
      .number()
      .nullable()
      .describe('What all of it sends at most; null: no limit.'),
    optOutScope,
    hoursLaws,
    textingHours: OrgHoursSchema.nullable(),
    blackoutDates,
    sendingStoppedAt: time('Since when its kill switch is on.').nullable(),
    sendingStoppedReason: z.string().nullable().describe('Why.'),
  })
  .openapi('Org');

export const PatchOrgSchema = z
  .object({
    textsPerDay: perDay,
    textsPerWeek: perWeek,
    segmentsPerSecond: rate('What all of it sends at most; null: no limit.').nullable(),
    optOutScope,
    hoursLaws,
    textingHours: OrgHoursSchema.nullable(),
    blackoutDates,
  })
  .partial()
  .describe('Only what is to change.')
  .openapi('PatchOrg');

export const StopSchema = z
  .object({ reason: text(500, 'Why; kept in the audit log.').optional() })
  .openapi('Stop');

export const StoppedSchema = z
  .object({
    sending: count(
      'Texts whose request to the provider had begun. No other can begin any more: the answer comes 600 ms after the change.',
    ),
  })
  .openapi('Stopped');

const micros = (meaning: string, digits = 15) =>
  z
    .string()
    .regex(
      new RegExp(`^\\d{1,${digits}}$`),
      `must be a whole number of up to ${digits} digits, as text`,
    )
    .describe(`${meaning} Millionths of the currency; a whole number as text.`);
const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be three capital letters')
  .describe('ISO 4217.');

export const SetBudgetSchema = z
  .object({ capMicros: micros('What the org may spend in all.'), currency })
  .openapi('SetBudget');

export const BudgetSchema = z
  .object({
    capMicros: micros('What the org may spend in all; null: no cap.').nullable(),
    reservedMicros: micros('For texts on the wire, or whose fate is unknown.'),
    spentMicros: micros('For texts that the provider took, by the rate card of their day.'),
    currency: currency.nullable(),
    updatedAt: time('When any of it changed last.').nullable(),
  })
  .openapi('Budget');

export const RateSchema = z
  .object({
    id: id('The price.'),
    provider: z.string().describe('Whose price it is.'),
    country: z.string().nullable().describe('Where the person is, ISO 3166; null: anywhere else.'),
    direction: z.enum(['outbound', 'inbound']).describe('Which way.'),
    priceMicros: micros('The price of a segment.'),
    currency,
    source: z.string().describe('Where the price comes from.'),
    validFrom: z.iso.date().describe('From this day on, UTC.'),
    own: z.boolean().describe('True: the org’s own; it counts before the deployment’s.'),
  })
  .openapi('Rate');

export const RatesSchema = z
  .object({ items: z.array(RateSchema).describe('In the order in which they count.') })
  .openapi('Rates');

export const SetRateCardSchema = z
  .object({
    provider: z.enum(['twilio']).default('twilio').describe('Whose price it is.'),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'must be two capital letters')
      .nullable()
      .describe('Where the person is, ISO 3166; null: anywhere else.'),
    priceMicros: micros('The price of an outbound segment.', 10),
    currency,
    source: text(200, 'Where the price comes from.'),
    validFrom: z.iso.date().describe('From this day on, UTC. The same day again replaces it.'),
  })
  .openapi('SetRateCard');

export const CreateRegistrationSchema = z
  .object({
    kind: z.enum(REGISTRATION_KINDS).describe('What is registered.'),
    externalId: text(200, 'What the carrier calls it.'),
    segmentsPerSecond: rate('What its senders may send together; null: no limit.').nullable(),
    segmentsPerDay: z
      .int()
      .min(1)
      .max(100_000_000)
      .nullable()
      .describe(
        'What its senders may send in any 24 hours; null: no limit. Spread over the day: at most 4 % of it at once.',
      ),
  })
  .openapi('CreateRegistration');

export const RegistrationSchema = z
  .object({
    id: id('The registration.'),
    kind: z.enum(REGISTRATION_KINDS).describe('What is registered.'),
    externalId: z.string().describe('What the carrier calls it.'),
    segmentsPerSecond: z.number().nullable().describe('What its senders may send together.'),
    segmentsPerDay: z.int().nullable().describe('What its senders may send in any 24 hours.'),
    createdAt: time('When it was made.'),
  })
  .openapi('Registration');
