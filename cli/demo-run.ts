import { createWriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { DEFAULT_SEED, makeContacts } from '../examples/make-contacts.ts';
import type { DemoArgs } from './demo-args.ts';
import {
  ApiError,
  anythingSchema,
  campaignSchema,
  importSchema,
  listSchema,
  messagePageSchema,
  previewSchema,
  progressSchema,
  reportSchema,
  scriptSchema,
  type ApiClient,
  type Campaign,
  type Import,
  type Message,
  type Preview,
} from './demo-client.ts';
import { createDisplay, percent, type Terminal } from './demo-display.ts';
import {
  agrees,
  checkSums,
  countRows,
  describeCounts,
  describeReport,
  readJournal,
} from './demo-report.ts';
import { DEMO_SCRIPT } from './demo-script.ts';
import { ROOT, type Stack } from './stack.ts';
import { connectInbound, steerSimulator, type Workspace } from './workspace.ts';

/** Remembers a launched campaign, so that a demo that was stopped shows it again. */
const stateSchema = z.object({
  campaignId: z.string(),
  importId: z.string(),
  fileRows: z.number(),
  /** The simulator's last journal line before the launch. */
  journalBefore: z.number(),
});
type DemoState = z.infer<typeof stateSchema>;

export interface DemoContext {
  readonly args: DemoArgs;
  readonly stack: Stack;
  readonly workspace: Workspace;
  readonly folder: string;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

const MAX_SENDERS = 20;
const REPLY_WINDOW_S = 10;
/** The simulated people answer well within the reply window. */
const REPLY_DELAY_MS = [500, 6_000];
const LOOK_EVERY_MS = 500;
/** Half a minute in which the API says that it will be back. */
const LOOKS_IN_VAIN = 60;
const OVER: ReadonlySet<Campaign['state']> = new Set(['finished', 'cancelled']);

/** Imports, launches, shows, reports. Returns whether all sums agree. */
export async function runDemo(context: DemoContext): Promise<boolean> {
  const { stack, workspace, terminal } = context;
  await connectInbound(stack, workspace.inboundUrl);
  await steerSimulator(stack, 'settings', { replyDelayMs: REPLY_DELAY_MS });
  const display = createDisplay(terminal);
  const earlier = await findRunning(context);
  if (earlier !== null)
    say(context, 'An earlier demo’s campaign is still running; here it is again.');
  const state = earlier ?? (await launchNew(context));
  await follow(context, state, display);
  return report(context, state, display);
}

async function findRunning({ workspace, folder }: DemoContext): Promise<DemoState | null> {
  const text = await readFile(stateFile(folder), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const state = stateSchema.parse(JSON.parse(text));
    const campaign = await workspace.api.get(`/v1/campaigns/${state.campaignId}`, campaignSchema);
    return ['launched', 'running', 'paused'].includes(campaign.state) ? state : null;
  } catch {
    // Of another database, or cut short: a new campaign replaces it.
    return null;
  }
}

async function launchNew(context: DemoContext): Promise<DemoState> {
  const { workspace, stack } = context;
  const { api } = workspace;
  const file = await chooseFile(context);
  const fileRows = await countRows(file);
  const stamp = new Date().toISOString().slice(0, 19).replace('T', ' ');
  const list = await api.post('/v1/contact-lists', listSchema, { name: `Demo ${stamp}` });
  const imported = await importFile(context, { file, fileRows, listId: list.id });
  const poolId = await workspace.findOrCreatePool(spreadRate(context.args.rate));
  const script = await api.post('/v1/scripts', scriptSchema, {
    name: `Demo ${stamp}`,
    graph: DEMO_SCRIPT,
  });
  // Laws protect people; these are made up, and a demo is watched at night too.
  await api.patch('/v1/org', anythingSchema, { hoursLaws: 'none' });
  const campaign = await api.post('/v1/campaigns', campaignSchema, {
    name: `Demo ${stamp}`,
    listId: list.id,
    scriptVersionId: script.version.id,
    poolId,
    textingHours: { start: '00:00', end: '24:00', days: [1, 2, 3, 4, 5, 6, 7], blackoutDates: [] },
    replyWindowSeconds: REPLY_WINDOW_S,
  });
  say(context, 'Texting hours: around the clock on all days, because these people are simulated.');
  const path = `/v1/campaigns/${campaign.id}`;
  for (const line of describePreview(await api.get(`${path}/preview`, previewSchema)))
    say(context, line);
  await api.post(`${path}/check`, campaignSchema);
  const journalBefore = await readJournalNumber(stack);
  const state = { campaignId: campaign.id, importId: imported.id, fileRows, journalBefore };
  await writeFile(stateFile(context.folder), `${JSON.stringify(state, null, 2)}\n`, {
    mode: 0o600,
  });
  await api.post(`${path}/launch`, campaignSchema);
  say(context, 'Launched.');
  return state;
}

async function chooseFile({ args, folder }: DemoContext): Promise<string> {
  if (args.contacts !== null) return args.contacts;
  if (args.size === null) return join(ROOT, 'examples', 'contacts.csv');
  const file = join(folder, 'demo-contacts.csv');
  const contacts = makeContacts({ people: args.size, seed: DEFAULT_SEED });
  await pipeline(Readable.from(contacts), createWriteStream(file));
  return file;
}

async function importFile(
  context: DemoContext,
  given: { readonly file: string; readonly fileRows: number; readonly listId: string },
): Promise<Import> {
  const { api } = context.workspace;
  const { file, fileRows, listId } = given;
  const startedAt = Date.now();
  const query = new URLSearchParams({ fileName: basename(file), defaultCountry: 'US' });
  say(context, `Importing ${basename(file)} (${fileRows} rows) ...`);
  let current = await api.upload(
    `/v1/contact-lists/${listId}/imports?${query.toString()}`,
    importSchema,
    file,
  );
  let saidAt = Date.now();
  while (current.state === 'queued' || current.state === 'running') {
    await sleep(150, undefined, { signal: context.signal });
    current = await api.get(`/v1/imports/${current.id}`, importSchema);
    if (Date.now() - saidAt < 2_000) continue;
    saidAt = Date.now();
    say(
      context,
      `  ${current.rows.decided} rows (${percent(current.bytes.done / Math.max(1, current.bytes.total))})`,
    );
  }
  if (current.state !== 'finished') {
    throw new Error(
      `The import ${current.state}: ${current.problem?.message ?? 'no reason given'}`,
    );
  }
  const { rows, rejectsByReason } = current;
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
  say(
    context,
    `Imported in ${seconds} s: ${rows.accepted} accepted, ${rows.rejected} rejected${describeCounts(rejectsByReason, ' (')}${rows.rejected > 0 ? ')' : ''}.`,
  );
  return current;
}

/** Spreads the rate over twenty senders, or fewer when it is small: each sends one segment a second or more. */
export function spreadRate(rate: number): { senders: number; segmentsPerSecond: number } {
  const senders = Math.min(MAX_SENDERS, Math.max(1, Math.floor(rate)));
  return { senders, segmentsPerSecond: Math.round((rate / senders) * 1_000) / 1_000 };
}

function describePreview(preview: Preview): string[] {
  const { audience, segments, estimate, rate, samples, problems } = preview;
  const price =
    estimate === null
      ? 'unknown'
      : `${(Number(estimate.amountMicros) / 1e6).toFixed(2)} ${estimate.currency}`;
  const finish = preview.projectedFinishAt;
  const about = segments.exact ? '' : 'about ';
  return [
    `Preview: ${audience.size} people${describeCounts(audience.leftOut, ', left out: ')}; ${about}${segments.total} segments at ${rate.segmentsPerSecond}/s; price ${price}${finish === null || finish === undefined ? '' : `; first texts done at ${finish.slice(11, 19)} UTC`}.`,
    ...samples
      .slice(0, 2)
      .map(({ body, segments: count }) => `  "${body ?? ''}" (${count ?? 1} segments)`),
    ...problems.map(({ message }) => `  note: ${message}`),
  ];
}

async function follow(
  { workspace, signal }: DemoContext,
  state: DemoState,
  display: ReturnType<typeof createDisplay>,
): Promise<void> {
  let failures = 0;
  for (;;) {
    try {
      const progress = await workspace.api.get(
        `/v1/campaigns/${state.campaignId}/progress`,
        progressSchema,
      );
      failures = 0;
      display.show(progress);
      if (OVER.has(progress.state)) return display.settle();
    } catch (error) {
      // The engine outlives its database's restart, and so does whoever looks on.
      failures += 1;
      if (!(error instanceof ApiError && error.status === 503) || failures > LOOKS_IN_VAIN)
        throw error;
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

async function report(
  context: DemoContext,
  state: DemoState,
  display: ReturnType<typeof createDisplay>,
): Promise<boolean> {
  const { stack, workspace, folder } = context;
  const path = `/v1/campaigns/${state.campaignId}`;
  const csvFile = join(folder, 'demo-report.csv');
  const found = await workspace.api.get(`${path}/report`, reportSchema);
  const campaign = await workspace.api.get(path, campaignSchema);
  const imported = await workspace.api.get(`/v1/imports/${state.importId}`, importSchema);
  await workspace.api.download(`${path}/report.csv`, csvFile);
  const checks = checkSums({
    report: found,
    import: imported,
    fileRows: state.fileRows,
    reportRows: await countRows(csvFile),
    ledger: await listTexts(workspace.api, found.launchedAt ?? ''),
    campaignId: state.campaignId,
    firstStep: DEMO_SCRIPT.start,
    journal: await readJournal({
      file: stack.journalFile,
      accountSid: stack.gateway.accountSid,
      after: state.journalBefore,
    }),
  });
  const reportFile = join(folder, 'demo-report.json');
  await writeFile(
    reportFile,
    `${JSON.stringify({ report: found, import: imported, checks }, null, 2)}\n`,
  );
  for (const line of describeReport({
    report: found,
    script: DEMO_SCRIPT,
    checks,
    paint: display,
  })) {
    say(context, line);
  }
  say(context, '');
  say(context, `Report        ${reportFile}`);
  say(context, `A row each    ${csvFile} (${stack.apiUrl}${path}/report.csv)`);
  say(context, `API docs      ${stack.apiUrl}/docs`);
  say(context, `Temporal UI   ${campaign.temporalUrl ?? stack.temporalUiUrl}`);
  return checks.every(agrees);
}

/** Lists the org's texts since an instant, the newest first as the API gives them. */
async function listTexts(api: ApiClient, since: string): Promise<Message[]> {
  const texts: Message[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: z.infer<typeof messagePageSchema> = await api.get(
      `/v1/messages?limit=200${query}`,
      messagePageSchema,
    );
    texts.push(...page.items.filter(({ createdAt }) => createdAt >= since));
    const oldest = page.items.at(-1)?.createdAt ?? '';
    cursor = oldest < since ? null : page.nextCursor;
  } while (cursor !== null);
  return texts;
}

async function readJournalNumber(stack: Stack): Promise<number> {
  const response = await fetch(`${stack.simulatorUrl ?? ''}/simulator/state`, {
    signal: AbortSignal.timeout(10_000),
  });
  return z.object({ journal: z.number() }).parse(await response.json()).journal;
}

function stateFile(folder: string): string {
  return join(folder, 'demo.json');
}

function say({ terminal }: DemoContext, line: string): void {
  terminal.write(`${line}\n`);
}
