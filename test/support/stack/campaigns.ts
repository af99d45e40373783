/** Campaigns as a client of the HTTP API makes them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  accountSchema,
  anythingSchema,
  campaignSchema,
  importSchema,
  listSchema,
  poolSchema,
  scriptSchema,
  type ApiClient,
  type Import,
} from '../../../cli/demo-client.ts';
import type { Script } from '../../../domain/script.ts';
import { waitUntil } from '../wait-until.ts';

export const ACCOUNT_SID = `AC${'b'.repeat(32)}`;
export const AUTH_TOKEN = 'a-simulated-token';
/** The first text of every campaign holds these words, and no other text does. */
export const FIRST_TEXT_WORDS = 'on Tuesday?';

/** One question and a goodbye, so that most talks are short. */
export const SCRIPT: Script = {
  start: 'vote',
  steps: {
    vote: {
      text: `Hi {{first_name|there}}, can we count on your vote ${FIRST_TEXT_WORDS} Reply STOP to opt out.`,
      answers: [
        {
          key: 'yes',
          label: 'Yes',
          words: ['yes', 'yeah', 'y', 'sure', 'yep', 'absolutely'],
          next: 'thanks',
        },
        { key: 'no', label: 'No', words: ['no', 'nope', 'n', 'not', 'sorry'], next: 'thanks' },
      ],
    },
    thanks: { text: 'Thank you for letting us know, and have a good day!' },
  },
};

/** A minute for small files; a benchmark's may hold a million rows. */
const IMPORT_WITHIN_MS = 300_000;
const ALWAYS = { start: '00:00', end: '24:00', days: [1, 2, 3, 4, 5, 6, 7], blackoutDates: [] };

export interface CampaignWish {
  readonly name: string;
  readonly csv: string;
  readonly senders: number;
  /** Of one sender. */
  readonly segmentsPerSecond: number;
  readonly replyWindowSeconds: number;
  readonly startMode?: 'first_text' | 'first_reply';
  readonly unknownPolicy?: 'at_most_once' | 'confirmed_absent' | 'at_least_once';
  readonly textingHours?: Omit<typeof ALWAYS, 'blackoutDates'>;
  readonly script?: Script;
  /** People who all answer opt out more often than a brake allows. */
  readonly withoutBrakes?: boolean;
  /** Of the campaign, below what its senders can. */
  readonly campaignSegmentsPerSecond?: number;
}

export interface LaunchedCampaign {
  readonly id: string;
  readonly poolId: string;
  readonly imported: Import;
  readonly path: string;
}

export interface ClientParts {
  readonly api: ApiClient;
  readonly accountId: string;
  readonly folder: string;
}

/** Adds the simulator as a provider account, and tells it where our webhooks are. */
export async function connectAccount(parts: {
  readonly api: ApiClient;
  readonly steer: (method: 'PUT', path: string, body: object) => Promise<unknown>;
  readonly webhookUrl: string;
  readonly simulatorUrl: string;
}): Promise<string> {
  const { id } = await parts.api.post('/v1/provider-accounts', accountSchema, {
    provider: 'twilio',
    name: 'Simulator',
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    baseUrl: parts.simulatorUrl,
  });
  const smsUrl = `${parts.webhookUrl}/webhooks/twilio/${id}/inbound#rc=5&rp=all`;
  await parts.steer('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl });
  return id;
}

let senders = 0;

/** From a CSV to a launched campaign with a pool of its own. */
export async function launch(parts: ClientParts, wish: CampaignWish): Promise<LaunchedCampaign> {
  const draft = await prepare(parts, wish);
  await parts.api.post(`${draft.path}/launch`, campaignSchema);
  return draft;
}

/** The same up to the check before the launch. */
export async function prepare(
  { api, accountId, folder }: ClientParts,
  wish: CampaignWish,
): Promise<LaunchedCampaign> {
  const { name, segmentsPerSecond } = wish;
  const file = join(folder, `${name}.csv`);
  await writeFile(file, wish.csv);
  const list = await api.post('/v1/contact-lists', listSchema, { name });
  let imported = await api.upload(
    `/v1/contact-lists/${list.id}/imports?fileName=people.csv&defaultCountry=US`,
    importSchema,
    file,
  );
  imported = await waitUntil(
    async () => {
      const found = await api.get(`/v1/imports/${imported.id}`, importSchema);
      return ['queued', 'running'].includes(found.state) ? null : found;
    },
    { what: 'the import to end', timeoutMs: IMPORT_WITHIN_MS },
  );
  const pool = await api.post('/v1/sender-pools', poolSchema, { name, accountId });
  await api.post(`/v1/sender-pools/${pool.id}/senders`, anythingSchema, {
    senders: Array.from({ length: wish.senders }, () => ({
      e164: `+1202555${String(100 + (senders += 1)).padStart(4, '0')}`,
      segmentsPerSecond,
    })),
  });
  const script = await api.post('/v1/scripts', scriptSchema, {
    name,
    graph: wish.script ?? SCRIPT,
  });
  const campaign = await api.post('/v1/campaigns', campaignSchema, {
    name,
    listId: list.id,
    scriptVersionId: script.version.id,
    poolId: pool.id,
    startMode: wish.startMode ?? 'first_reply',
    ...(wish.unknownPolicy === undefined ? {} : { unknownPolicy: wish.unknownPolicy }),
    ...(wish.campaignSegmentsPerSecond === undefined
      ? {}
      : { segmentsPerSecond: wish.campaignSegmentsPerSecond }),
    ...(wish.withoutBrakes === true
      ? { brakes: { failures: null, optOuts: null, violations: null } }
      : {}),
    textingHours: { ...ALWAYS, ...wish.textingHours },
    replyWindowSeconds: wish.replyWindowSeconds,
  });
  const path = `/v1/campaigns/${campaign.id}`;
  await api.post(`${path}/check`, campaignSchema);
  return { id: campaign.id, poolId: pool.id, imported, path };
}

/** People with numbers of one area code from the n-th on, which no other campaign of the file uses. */
export function peopleCsv(area: string, count: number, from = 0): string {
  const rows = peopleNumbers(area, count, from).map(
    (number, index) => `${number},Ada${index},${index}`,
  );
  return ['phone,first_name,external_id', ...rows, ''].join('\n');
}

export function peopleNumbers(area: string, count: number, from = 0): string[] {
  return Array.from(
    { length: count },
    (_, index) => `+1${area}${String(2_000_000 + from + index)}`,
  );
}
