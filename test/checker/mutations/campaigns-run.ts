/** Campaigns side by side, each of which strains another promise. */
import { anythingSchema } from '../../../cli/demo-client.ts';
import {
  SCRIPT,
  peopleCsv,
  peopleNumbers,
  type LaunchedCampaign,
} from '../../support/stack/campaigns.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { Verdict } from '../check.ts';
import { withWorld, type World } from './world.ts';

/** 311 places: three segments, and two if one does not count the header of each. */
const LONG_TEXT = `Hi {{first_name|there}}, ${'please read all of this. '.repeat(11)}Now. Reply STOP to opt out.`;
const LONG_SCRIPT = { start: 'tell', steps: { tell: { text: LONG_TEXT } } };
/** On a machine that does much else besides. */
const PATIENCE_MS = 30_000;

const AREA = { plain: '206', slow: '303', night: '415', again: '617', long: '512', paused: '212' };

const SOCKETS = 64;
const LOST_TEXT = 'Are you still there?';
/** Whoever has not moved for so long waits for something that does not come. */
const STILL_MS = 5_000;

/** Runs a tree's processes through campaigns, replies, stops, faults and a pause, and judges what is left. */
export async function runCampaigns(root: string): Promise<Verdict[]> {
  return withWorld(root, { maxSends: SOCKETS }, async (world) => {
    await breakSomeOf(world);
    const plays = [plain, slow, night, again, long, paused].map(async (play) => play(world));
    // None may go on when the world ends.
    const [failed] = (await Promise.allSettled(plays)).filter(
      ({ status }) => status === 'rejected',
    );
    if (failed?.status === 'rejected') throw failed.reason;
    await untilSettled(world);
  });
}

async function breakSomeOf(world: World): Promise<void> {
  const [silent = '', mute = ''] = peopleNumbers(AREA.plain, 2);
  const drop = (to: string) => ({ fault: 'drop-callbacks', times: 10, match: { to } });
  const hang = (to: string) => ({ fault: 'hang-before', match: { to } });
  await world.addFaults([
    drop(silent),
    drop(mute),
    ...peopleNumbers(AREA.again, 3).slice(1).map(hang),
  ]);
}

/** Texts, an answer, a stop, a text that no webhook brings, and reports that never come. */
async function plain(world: World): Promise<void> {
  await launch(world, 'plain', { people: 10, rate: 50 });
  const [, , yes = '', stop = ''] = peopleNumbers(AREA.plain, 4);
  // A reply to a text that nobody has recorded yet would belong to no conversation.
  await waitUntil(async () => (await world.count(RECORDED, yes, stop)) === 2, {
    what: 'the first texts to be recorded',
    timeoutMs: PATIENCE_MS,
  });
  await reply(world, { from: yes, body: 'Yes' });
  await reply(world, { from: stop, body: 'STOP' });
  await reply(world, { from: stop, body: LOST_TEXT, deliver: 'list-only' });
}

/** More texts than one sender may send in a second. */
async function slow(world: World): Promise<void> {
  await launch(world, 'slow', { people: 10, rate: 4, senders: 1 });
}

/** Hours that open later. */
async function night(world: World): Promise<void> {
  const minutes = minutesIn('America/Los_Angeles');
  const campaign = await launch(world, 'night', {
    people: 2,
    rate: 50,
    hours: { start: clock(minutes + 120), end: clock(minutes + 240) },
  });
  await waitUntil(async () => (await world.count(CURSORS_WITH_HOURS, campaign.id)) > 0, {
    what: 'the hours of the night to be known',
  });
}

const RECORDED = `message where state = 'accepted' and address in ($1, $2)`;
const CURSORS_WITH_HOURS = 'campaign_cursor where campaign_id = $1::uuid and opens_at is not null';

/** Requests that never arrive: the text may be tried again, but not for somebody who stops meanwhile. */
async function again(world: World): Promise<void> {
  await launch(world, 'again', {
    people: 3,
    rate: 50,
    policy: 'at_least_once',
  });
  const [, stop = '', other = ''] = peopleNumbers(AREA.again, 3);
  await untilTexted(world, [stop, other]);
  await reply(world, { from: stop, body: 'STOP' });
}

async function long(world: World): Promise<void> {
  await launch(world, 'long', { people: 2, rate: 50, script: LONG_SCRIPT });
}

/** A pause in the middle, which holds until everything else is over. */
async function paused(world: World): Promise<void> {
  const campaign = await launch(world, 'paused', { people: 40, rate: 5, senders: 1 });
  const people = peopleNumbers(AREA.paused, 40);
  await waitUntil(
    async () => (await world.creates()).filter(({ to }) => people.includes(to)).length > 3,
    { what: 'the first texts of the campaign that will pause', timeoutMs: PATIENCE_MS },
  );
  await world.api.post(`${campaign.path}/pause`, anythingSchema);
  const until = Date.now() + 1_000;
  await waitUntil(() => Date.now() > until, { what: 'texts that would be late' });
  await world.api.post(`${campaign.path}/cancel`, anythingSchema);
}

async function launch(
  world: World,
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
  return world.launch({
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

async function untilTexted(world: World, people: readonly string[]): Promise<void> {
  await waitUntil(
    async () => {
      const texted = new Set((await world.creates()).map(({ to }) => to));
      return people.every((person) => texted.has(person));
    },
    { what: 'the first texts', timeoutMs: PATIENCE_MS },
  );
}

async function reply(
  world: World,
  text: { readonly from: string; readonly body: string; readonly deliver?: 'list-only' },
): Promise<void> {
  const create = (await world.creates()).find((one) => one.to === text.from);
  await world.inject({ ...text, to: create?.from ?? '' });
}

/** No text is on its way any more and every reply was dealt with; or nothing moves that would have to. */
async function untilSettled(world: World): Promise<void> {
  const [silent, mute] = peopleNumbers(AREA.plain, 2);
  let seen = '';
  let seenAtMs = 0;
  await waitUntil(
    async () => {
      const [row] = await world.database.query<{ pending: number; all: string }>(
        PENDING,
        silent,
        mute,
      );
      if (row?.pending === 0) return true;
      if (row !== undefined && row.all !== seen) [seen, seenAtMs] = [row.all, Date.now()];
      return Date.now() > seenAtMs + STILL_MS;
    },
    { what: 'everything to settle', timeoutMs: PATIENCE_MS, everyMs: 100 },
  );
}

/** What has still to happen, and how everything stands. */
const PENDING = `
select (select count(*) from message where state in ('planned', 'sending', 'unknown'))::int
     + (select count(*) from message where state = 'accepted' and delivery < 'delivered' and address not in ($1, $2))::int
     + (select count(*) from conversation where kind = 'campaign' and handled_seq < arrival_seq)::int
     + case when exists (select 1 from message where body = '${LOST_TEXT}') then 0 else 1 end as pending,
       (select string_agg(t.id || t.state::text || t.delivery::text || t.attempt, ',' order by t.id) from message t) as all`;

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
