import { z } from '@hono/zod-openapi';
import {
  ARCHIVE_STATES,
  BUSY_POLICIES,
  START_MODES,
  UNKNOWN_POLICIES,
} from '../../db/campaign-drafts.ts';
import { CAMPAIGN_STATES } from '../../domain/campaign-state.ts';
import { count, counts, id, isStorable, rate, text, time } from './common.ts';

const START = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
const END = /^(?:(?!00:00)(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/;

export const TextingHoursSchema = z
  .object({
    start: z
      .string()
      .regex(START, 'must be HH:MM, 00:00 to 23:59')
      .describe('When texts may begin, by the clock where the person is. HH:MM.'),
    end: z
      .string()
      .regex(END, 'must be HH:MM, 00:01 to 24:00')
      .describe('When texts must stop. HH:MM, up to 24:00; at or before the start: the next day.'),
    days: z
      .array(z.int().min(1).max(7))
      .min(1)
      .max(7)
      .describe('ISO weekdays, Monday is 1, Sunday is 7.'),
    blackoutDates: z
      .array(z.iso.date())
      .max(366)
      .describe('Local dates on which nothing is sent. YYYY-MM-DD.'),
  })
  .openapi('TextingHours');

const startMode = z
  .enum(START_MODES)
  .describe(
    'first_text: a workflow per person from the first text on. first_reply: from the first reply on. auto: first_text while the deployment can start workflows as fast as the campaign sends.',
  );
const unknownPolicy = z
  .enum(UNKNOWN_POLICIES)
  .describe(
    'What happens to a text whose fate is not known: at_most_once never repeats it, confirmed_absent repeats it once the provider’s list showed twice that it is not there, at_least_once repeats it.',
  );
const programme = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .refine(isStorable, 'must be well-formed text without NUL')
  .nullable()
  .describe('Opt-outs of this programme count too. Up to 100 characters.');
const replyWindowSeconds = z
  .int()
  .min(1)
  .max(2_592_000)
  .describe('How long after its last text a reply is waited for. Seconds, 1 to 2,592,000.');
const startsAtInput = z.iso
  .datetime({ offset: true })
  .nullable()
  .describe('Not before this instant. ISO 8601; null: at launch.');
/** The 30th of February is rolled over into March, not refused, by Date. */
function isRealTime(local: string): boolean {
  const at = new Date(`${local}Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(local);
}

const startsAtLocal = z
  .string()
  .regex(
    /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d$/,
    'must be YYYY-MM-DDTHH:MM',
  )
  .refine(isRealTime, 'is not a date')
  .nullable()
  .describe(
    'Nobody is texted before this time by the clock where they are: YYYY-MM-DDTHH:MM, without a zone. Null: from the start on.',
  );
const ownRate = rate('The campaign’s own limit; null: only the pool’s.').nullable();

const busyPolicy = z
  .enum(BUSY_POLICIES)
  .describe(
    'What happens to a first text while another campaign’s conversation with the person waits for an answer: delay looks again every ten minutes within the texting hours, skip gives it up, send sends it anyway.',
  );
const busyMinutes = z
  .int()
  .min(1)
  .max(10_080)
  .describe('How long after its last text another conversation counts as waiting. Minutes.');
const finishBy = z.iso
  .datetime({ offset: true })
  .nullable()
  .describe(
    'Spreads the first texts over the texting hours until then, never above the limits. ISO 8601; null: as fast as the limits allow.',
  );
const maxOpenReplies = z
  .int()
  .min(1)
  .max(1_000_000)
  .nullable()
  .describe(
    'No more first texts are planned while so many conversations of the campaign wait for a person; null: no bound.',
  );

function share(meaning: string) {
  return z
    .number()
    .gt(0)
    .max(1)
    .nullable()
    .describe(`${meaning} A part of the texts, above 0 and up to 1; null: no brake.`);
}

export const BrakesSchema = z
  .object({
    minTexts: z
      .int()
      .min(10)
      .max(1_000_000)
      .describe('A brake looks at so many texts at least, since the last calm look.'),
    failures: share('Texts that are refused or do not arrive.'),
    optOuts: share('Opt-outs.'),
    violations: share('Texts that carriers refuse as unwanted or unregistered.'),
  })
  .partial()
  .describe('The campaign pauses itself, with the reason, when more than this goes wrong.')
  .openapi('Brakes');

const required = {
  name: text(200, 'What the campaign is called.'),
  listId: id('Who is texted: the people on this list at the start.'),
  scriptVersionId: id('What is said.'),
  poolId: id('Who sends.'),
};
const settings = {
  startMode,
  unknownPolicy,
  textingHours: TextingHoursSchema,
  segmentsPerSecond: ownRate,
  replyWindowSeconds,
  startsAt: startsAtInput,
  startsAtLocal,
  programme,
  busyPolicy,
  busyMinutes,
  finishBy,
  maxOpenReplies,
  brakes: BrakesSchema,
};

export const CreateCampaignSchema = z
  .object({ ...required, ...z.object(settings).partial().shape })
  .describe(
    'Defaults: startMode auto, unknownPolicy confirmed_absent, texting hours 09:00 to 20:00 Monday to Saturday, a reply window of three days, busyPolicy delay of 60 minutes, brakes at 30 % failures, 15 % opt-outs and 5 % violations of at least 200 texts.',
  )
  .openapi('CreateCampaign');

export const PatchCampaignSchema = z
  .object({ ...required, ...settings })
  .partial()
  .describe('Only what is to change.')
  .openapi('PatchCampaign');

export const CampaignSchema = z
  .object({
    id: id('The campaign.'),
    name: z.string().describe('Its name.'),
    state: z
      .enum(CAMPAIGN_STATES)
      .describe('draft, checked, launched, running, paused and its ends.'),
    fence: z.int().describe('Rises with every change of state.'),
    listId: id('Who is texted.'),
    scriptVersionId: id('What is said.'),
    poolId: id('Who sends.'),
    accountId: id('The pool’s provider account.'),
    startMode,
    unknownPolicy,
    textingHours: TextingHoursSchema,
    segmentsPerSecond: z.number().nullable().describe('Its own limit; null: only the pool’s.'),
    replyWindowSeconds: z.int().describe('How long a reply is waited for. Seconds.'),
    startsAt: time('Not before this instant.').nullable(),
    startsAtLocal,
    programme: z.string().nullable().describe('Whose opt-outs count too.'),
    busyPolicy,
    busyMinutes: z.int().describe('How long another conversation counts as waiting. Minutes.'),
    finishBy: time('Texts are spread until then.').nullable(),
    maxOpenReplies: z.int().nullable().describe('The bound of conversations that wait for people.'),
    brakes: BrakesSchema.required(),
    createdAt: time('When it was made.'),
    launchedAt: time('When it was launched.').nullable(),
    repliesClosedAt: time('When somebody said that no more replies are waited for.').nullable(),
    finishedAt: time('When it finished or was cancelled.').nullable(),
    stateReason: z.string().nullable().describe('Why it is in this state.'),
    archive: z
      .object({
        state: z
          .enum(ARCHIVE_STATES)
          .describe(
            'archiving: its texts are written to files, and read from the ledger. archived: all of them were compared. purging: nobody reads them any more. purged: files and rows are gone.',
          ),
        archivedAt: time('When the last of its months was compared.').nullable(),
        purgedAt: time('When the last of its files and rows was gone.').nullable(),
      })
      .nullable()
      .describe('Where its texts are, once it is over for long; null: in the ledger.'),
    temporalUrl: z
      .string()
      .nullable()
      .describe('Its workflow in the Temporal UI; null before the launch.'),
  })
  .openapi('Campaign');

export const ReasonSchema = z
  .object({ reason: text(500, 'Why; kept in the audit log.').optional() })
  .openapi('Reason');

export const HaltSchema = z
  .object({
    id: id('The campaign.'),
    state: z.enum(CAMPAIGN_STATES).describe('Its state now.'),
    fence: z.int().describe('Claims made under an older fence are void.'),
    sending: count(
      'Texts whose request to the provider had begun. No other can begin any more: the answer comes 600 ms after the change.',
    ),
  })
  .openapi('Halt');

export const SetRateSchema = z
  .object({ segmentsPerSecond: rate('The campaign’s new limit.') })
  .openapi('SetRate');

export const PreviewSchema = z
  .object({
    audience: z.object({
      size: count('People who would be texted now.'),
      leftOut: counts('People of the list who would not be, by reason.'),
    }),
    samples: z
      .array(
        z.object({
          contactId: id('A real person of the list.'),
          body: z.string().nullable().describe('What they would get; null: nothing.'),
          encoding: z.enum(['gsm7', 'ucs2']).nullable().describe('What it is sent in.'),
          segments: z.int().describe('What it bills as.'),
          missing: z.array(z.string()).describe('Merge fields without a value or fallback.'),
        }),
      )
      .describe('Up to ten, spread over the list.'),
    segments: z
      .object({
        total: count('Segments of all first texts.'),
        average: z.number().describe('Segments of a first text.'),
        gsm7Texts: count('First texts in GSM-7, 160 characters a segment.'),
        ucs2Texts: count('First texts in UCS-2, 70 characters a segment.'),
        exact: z.boolean().describe('False: projected from 5,000 people of a larger audience.'),
      })
      .describe('Of the first texts; what follows depends on the replies.'),
    estimate: z
      .object({
        amountMicros: z.string().describe('Millionths of the currency; a whole number as text.'),
        currency: z.string().describe('ISO 4217.'),
        source: z.string().describe('Where the prices come from.'),
      })
      .nullable()
      .describe('What the first texts cost; null without prices in one currency.'),
    rate: z.object({
      segmentsPerSecond: z.number().describe('The lower of the campaign’s and the pool’s limit.'),
    }),
    projectedFinishAt: time(
      'When the last first text would leave at that rate, texting hours aside.',
    ).nullable(),
    startMode: z.enum(['first_text', 'first_reply']).describe('The mode that it would start in.'),
    problems: z
      .array(
        z.object({
          code: z.string().describe('What is wrong, for programs.'),
          message: z.string().describe('What is wrong, in words.'),
          severity: z.enum(['error', 'warning']).describe('An error keeps it from being checked.'),
        }),
      )
      .describe('What a check would say.'),
  })
  .openapi('Preview');

const texts = z.object({
  planned: count('To be sent.'),
  sending: count('On their way to the provider.'),
  accepted: count('The provider took them.'),
  rejected: count('The provider refused them.'),
  skipped: count('Not sent, each with its reason.'),
  unknown: count('The provider did not answer; being looked for.'),
  lost: count('Proven to be absent at the provider.'),
});

export const ProgressSchema = z
  .object({
    state: z.enum(CAMPAIGN_STATES).describe('The campaign’s state.'),
    startMode: z.enum(START_MODES).describe('The mode it runs in, or will.'),
    audience: count('People in the frozen audience; 0 before the start.'),
    leftOut: counts('People of the list who are not in it, by reason.'),
    texts: texts.extend({ total: count('All outbound texts.') }),
    delivery: z.object({
      queued: count('Accepted, and queued at the provider.'),
      sending: count('On their way to the carrier.'),
      sent: count('Taken by the carrier.'),
      delivered: count('On the phone.'),
      undelivered: count('Refused by the carrier.'),
      failed: count('Failed at the provider.'),
      canceled: count('Cancelled at the provider.'),
      read: count('Read, where the channel says so.'),
    }),
    replies: z.object({ total: count('Texts that came in.'), byKind: counts('By kind.') }),
    answers: z
      .record(z.string(), z.record(z.string(), z.int()))
      .describe('Answers given, by step and answer.'),
    optOuts: count('People who opted out of this campaign.'),
    skips: counts('Skipped texts by reason.'),
    errors: counts('Texts that were refused or did not arrive, by the provider’s error code.'),
    openReplies: count('Conversations that wait for a person.'),
    projectedFinishAt: time(
      'When the last first text leaves as things stand, texting hours and limits counted in; worked out every 20 s while the campaign runs.',
    ).nullable(),
    launchedAt: time('When it was launched.').nullable(),
    finishedAt: time('When it finished or was cancelled.').nullable(),
  })
  .openapi('Progress');

export const ReportSchema = ProgressSchema.extend({
  ledger: texts
    .extend({ total: count('All of them.') })
    .describe('The same as `texts`, counted row by row.'),
  conversations: z.object({
    automatic: count('The script goes on.'),
    needsReply: count('A person must answer.'),
    closed: count('Over.'),
  }),
  rejects: counts('Rejected texts by the provider’s error code.'),
  segmentsSent: count('Segments of accepted texts.'),
  cost: z
    .object({
      spentMicros: z.string().describe('Accepted texts. Millionths of the currency, as text.'),
      reservedMicros: z.string().describe('Texts on the wire or unknown.'),
      currency: z.string().describe('ISO 4217.'),
    })
    .nullable()
    .describe('By the rate card of the day of each text; null without prices in one currency.'),
  unknownTexts: z
    .array(
      z.object({
        messageId: id('The text; its trace says more.'),
        since: time('When it was claimed.'),
        looks: count('How often the provider’s list was searched for it.'),
        nextLookAt: time(
          'When it is searched for next; null: no more, a late report may still settle it.',
        ).nullable(),
      }),
    )
    .describe(
      'The oldest 100 texts whose fate is not known; all of them under /messages?state=unknown.',
    ),
  sumsAgree: z
    .boolean()
    .describe(
      'True when counters and ledger agree in every state, everybody in the audience has a first text, and none is still planned or sending.',
    ),
}).openapi('Report');
