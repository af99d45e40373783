/** The whole stack: campaigns side by side, each of which strains another promise. */
import { z } from 'zod';
import { anythingSchema } from '../../../cli/demo-client.ts';
import { startStack } from '../../e2e/support.ts';
import {
  SCRIPT,
  peopleCsv,
  peopleNumbers,
  type LaunchedCampaign,
} from '../../support/stack/campaigns.ts';
import type { Stack } from '../../support/stack/stack.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { Verdict } from '../check.ts';
import { judge } from './judged.ts';

/** 311 places: three segments, and two if one does not count the header of each. */
const LONG_TEXT = `Hi {{first_name|there}}, ${'please read all of this. '.repeat(11)}Now. Reply STOP to opt out.`;
const LONG_SCRIPT = { start: 'tell', steps: { tell: { text: LONG_TEXT } } };
/** On a machine that does much else besides. */
const PATIENCE_MS = 30_000;

const AREA = { plain: '206', slow: '303', night: '415', again: '617', long: '512', paused: '212' };

/** Runs a tree's processes through campaigns, replies, stops, faults and a pause, and judges what is left. */
export async function runCampaigns(root: string, settleMs = PATIENCE_MS): Promise<Verdict[]> {
  const stack = await startStack({
    root,
    settings: { SEND_DEADLINE_MS: '1000', LOG_LEVEL: 'error', SIMULATOR_FAILURE_SHARE: '0' },
  });
  try {
    await breakSomeOf(stack);
    await Promise.all([
      plain(stack),
      slow(stack),
      night(stack),
      again(stack),
      long(stack),
      paused(stack),
    ]);
    await untilSettled(stack, settleMs).catch(() => undefined);
    return await judge({
      engineUrl: stack.engineUrl,
      simulatorJournal: stack.simulatorJournal,
      clientsJournal: stack.clientsJournal,
      simulatorUrl: stack.urls.simulator,
    });
  } finally {
    await stack.close();
  }
}

async function breakSomeOf(stack: Stack): Promise<void> {
  const [silent = '', mute = ''] = peopleNumbers(AREA.plain, 2);
  const drop = (to: string) => ({ fault: 'drop-callbacks', times: 10, match: { to } });
  const hang = (to: string) => ({ fault: 'hang-before', match: { to } });
  await stack.steer('POST', 'faults', {
    faults: [drop(silent), drop(mute), ...peopleNumbers(AREA.again, 2).map(hang)],
  });
}

/** Texts, an answer, a stop, and reports that never come. */
async function plain(stack: Stack): Promise<void> {
  const campaign = await launch(stack, 'plain', { people: 10, rate: 50 });
  const [, , yes = '', stop = ''] = peopleNumbers(AREA.plain, 4);
  // A reply to a text that nobody has recorded yet would belong to no conversation.
  await waitUntil(async () => (await count(stack, RECORDED, yes, stop)) === 2, {
    what: 'the first texts to be recorded',
    timeoutMs: PATIENCE_MS,
  });
  await reply(stack, campaign, { from: yes, body: 'Yes' });
  await reply(stack, campaign, { from: stop, body: 'STOP' });
}

/** More texts than one sender may send in a second. */
async function slow(stack: Stack): Promise<void> {
  await launch(stack, 'slow', { people: 10, rate: 4, senders: 1 });
}

/** Hours that open later. */
async function night(stack: Stack): Promise<void> {
  const minutes = minutesIn('America/Los_Angeles');
  const campaign = await launch(stack, 'night', {
    people: 2,
    rate: 50,
    hours: { start: clock(minutes + 120), end: clock(minutes + 240) },
  });
  await waitUntil(async () => (await count(stack, CURSORS_WITH_HOURS, campaign.id)) > 0, {
    what: 'the hours of the night to be known',
  });
}

const RECORDED = `message where state = 'accepted' and address in ($1, $2)`;
const CURSORS_WITH_HOURS = 'campaign_cursor where campaign_id = $1::uuid and opens_at is not null';

/** Requests that never arrive: the text may be tried again, but not for somebody who stops meanwhile. */
async function again(stack: Stack): Promise<void> {
  const campaign = await launch(stack, 'again', {
    people: 2,
    rate: 50,
    policy: 'at_least_once',
  });
  const [stop = '', other = ''] = peopleNumbers(AREA.again, 2);
  await untilTexted(stack, [stop, other]);
  await reply(stack, campaign, { from: stop, body: 'STOP' });
}

async function long(stack: Stack): Promise<void> {
  await launch(stack, 'long', { people: 2, rate: 50, script: LONG_SCRIPT });
}

/** A pause in the middle, which holds until everything else is over. */
async function paused(stack: Stack): Promise<void> {
  const campaign = await launch(stack, 'paused', { people: 40, rate: 5, senders: 1 });
  const people = peopleNumbers(AREA.paused, 40);
  await waitUntil(
    async () => (await stack.creates()).filter(({ to }) => people.includes(to)).length > 3,
    { what: 'the first texts of the campaign that will pause', timeoutMs: PATIENCE_MS },
  );
  await stack.api.post(`${campaign.path}/pause`, anythingSchema);
  const until = Date.now() + 1_000;
  await waitUntil(() => Date.now() > until, { what: 'texts that would be late' });
  await stack.api.post(`${campaign.path}/cancel`, anythingSchema);
}

async function launch(
  stack: Stack,
  name: keyof typeof AREA,
  wish: {
    readonly people: number;
    readonly rate: number;
    readonly senders?: number;
    readonly script?: typeof SCRIPT;
    readonly policy?: 'at_least_once';
    readonly hours?: { readonly start: string; readonly end: string };
  },
): Promise<LaunchedCampaign> {
  return stack.launch({
    name,
    csv: peopleCsv(AREA[name], wish.people),
    senders: wish.senders ?? 2,
    segmentsPerSecond: wish.rate,
    replyWindowSeconds: 3_600,
    script: wish.script ?? SCRIPT,
    ...(wish.policy === undefined ? {} : { unknownPolicy: wish.policy }),
    ...(wish.hours === undefined
      ? {}
      : { textingHours: { ...wish.hours, days: [1, 2, 3, 4, 5, 6, 7] } }),
  });
}

async function untilTexted(stack: Stack, people: readonly string[]): Promise<void> {
  await waitUntil(
    async () => {
      const texted = new Set((await stack.creates()).map(({ to }) => to));
      return people.every((person) => texted.has(person));
    },
    { what: 'the first texts', timeoutMs: PATIENCE_MS },
  );
}

async function reply(
  stack: Stack,
  campaign: LaunchedCampaign,
  text: { readonly from: string; readonly body: string },
): Promise<void> {
  const [to = ''] = await stack.sendersOf(campaign);
  const create = (await stack.creates()).find((one) => one.to === text.from);
  await stack.inject({ ...text, to: create?.from ?? to });
}

/** No text is on its way any more, and every reply was dealt with. */
async function untilSettled(stack: Stack, timeoutMs: number): Promise<void> {
  const pending = [
    `message where state in ('planned', 'sending', 'unknown')`,
    `conversation where kind = 'campaign' and handled_seq < arrival_seq`,
    `message where state = 'accepted' and delivery < 'delivered' and address not in ($1, $2)`,
  ];
  const [silent, mute] = peopleNumbers(AREA.plain, 2);
  await waitUntil(
    async () => {
      for (const rows of pending) {
        const parameters = rows.includes('$1') ? [silent, mute] : [];
        if ((await count(stack, rows, ...parameters)) > 0) return false;
      }
      return true;
    },
    { what: 'everything to settle', timeoutMs, everyMs: 100 },
  );
}

async function count(stack: Stack, rows: string, ...parameters: unknown[]): Promise<number> {
  const [row] = await stack.database.query<{ n: number }>(
    `select count(*)::int as n from ${rows}`,
    ...parameters,
  );
  return z.number().parse(row?.n);
}

/** Minutes since midnight on the clocks of a zone. */
function minutesIn(timeZone: string): number {
  const [hour = 0, minute = 0] = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
    .format(new Date())
    .split(':')
    .map(Number);
  return hour * 60 + minute;
}

function clock(minutes: number): string {
  const within = minutes % 1_440;
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(Math.floor(within / 60))}:${two(within % 60)}`;
}
