/**
 * The simulator: a server of its own that speaks Twilio's REST API and webhooks, with carriers,
 * people who answer, and faults on demand. It shares no code with the engine.
 */
import { z } from 'zod';

const rangeSchema = z
  .tuple([z.number().min(0), z.number().min(0)])
  .refine(([low, high]) => low <= high, 'the range must not fall');
const shareSchema = z.number().min(0).max(1);
const webUrlSchema = z.url({ protocol: /^https?$/ }).max(4_000);
const accountSidSchema = z.string().regex(/^AC[0-9a-fA-F]{32}$/);

/** How the simulated carriers and people behave; all of it can change while the server runs. */
export const settingsSchema = z.object({
  /** Added to every answer of the REST API. */
  latencyMs: z.number().min(0).default(0),
  /** How long a new text stays out of lists. */
  listLagMs: z.number().min(0).default(0),
  /** From queued to sent, and from sent to the final status. */
  sentDelayMs: rangeSchema.default([20, 200]),
  deliveredDelayMs: rangeSchema.default([100, 2_000]),
  /** Share of numbers whose texts do not arrive. */
  failureShare: shareSchema.default(0.02),
  /** Share of people who answer questions. */
  replyShare: shareSchema.default(0.125),
  replyDelayMs: rangeSchema.default([1_000, 20_000]),
  webhookConcurrency: z.int().min(1).max(2_000).default(100),
  /** Webhooks beyond this many waiting ones are lost and counted. */
  webhookQueueLimit: z.int().min(1).default(200_000),
  /** First pause before a webhook is tried again; each further one is twice as long. */
  webhookRetryMs: z.number().min(1).default(200),
});
export type Settings = z.infer<typeof settingsSchema>;

/** Only what was given: defaults stay out. */
export const settingsPatchSchema = z
  .object(
    Object.fromEntries(
      Object.entries(settingsSchema.shape).map(([name, schema]) => [
        name,
        schema.unwrap().optional(),
      ]),
    ),
  )
  .strict();

const numberSchema = z.object({
  phoneNumber: z.string().min(3).max(20),
  smsUrl: webUrlSchema.nullable().default(null),
  smsFallbackUrl: webUrlSchema.nullable().default(null),
});

export const accountSchema = z.object({
  accountSid: accountSidSchema,
  authToken: z.string().min(1).max(128),
  /** Where texts from people go; a number's own URL wins. */
  smsUrl: webUrlSchema.nullable().default(null),
  smsFallbackUrl: webUrlSchema.nullable().default(null),
  numbers: z.array(numberSchema).default([]),
  /** Refuses senders that are not in `numbers`. */
  onlyOwnNumbers: z.boolean().default(false),
  requestsPerSecond: z.number().positive().nullable().default(null),
  /** Rate of one sender; texts wait in its queue. */
  segmentsPerSecond: z.number().positive().nullable().default(null),
  queueLimitSegments: z.number().positive().nullable().default(null),
  /** The provider handles STOP, START and HELP itself: it answers and names them in OptOutType. */
  defaultKeywords: z.boolean().default(false),
  /** Refuses texts to people who sent STOP; null follows `defaultKeywords`. */
  blockOptedOut: z.boolean().nullable().default(null),
});
export type Account = z.infer<typeof accountSchema>;
export type AccountInput = z.input<typeof accountSchema>;

/** The configured accounts, by SID and by their Authorization header. */
export function createAccounts() {
  const bySid = new Map<string, Account>();
  const byHeader = new Map<string, Account>();

  function put(input: AccountInput): Account {
    const account = accountSchema.parse(input);
    const earlier = bySid.get(account.accountSid);
    if (earlier !== undefined) byHeader.delete(authorizationOf(earlier));
    bySid.set(account.accountSid, account);
    byHeader.set(authorizationOf(account), account);
    return account;
  }

  return {
    put,
    get: (accountSid: string) => bySid.get(accountSid),
    authenticate: (header: string) => byHeader.get(header),
    all: () => [...bySid.values()],
  };
}
export type Accounts = ReturnType<typeof createAccounts>;

function authorizationOf(account: Account): string {
  return `Basic ${Buffer.from(`${account.accountSid}:${account.authToken}`).toString('base64')}`;
}
