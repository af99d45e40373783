/** Conversations and reply turns a second, beside the plainest workflows that could do the same on the same server. */
import { z } from 'zod';
import { campaignSchema } from '../cli/demo-client.ts';
import { peopleCsv } from '../test/support/stack/campaigns.ts';
import type { Reporter } from './figure.ts';
import { drained, readTalk } from './journal.ts';
import { startMachine, type Machine } from './machine.ts';
import { startRaw } from './raw/run.ts';
import type { Scenario } from './scenario.ts';

const SECONDS = 15;
/** People for each second of `--seconds`: more than can be dealt with in it, so that work waits all the time. */
const PEOPLE = { first_reply: 800, first_text: 25, replies: 60 } as const;
const SENDERS = 20;
const DRAIN_WITHIN_MS = 240_000;

export const workflows: Scenario = {
  about: 'conversations and reply turns a second, beside plain workflows on the same server',
  run: async (reporter, options) => {
    const machine = await startMachine({
      name: 'workflows',
      workers: options.workers,
      profile: options.profile,
      temporal: options.temporal,
      settings: { SIMULATOR_REPLY_DELAY_MS: '200-1000' },
    });
    const seconds = options.seconds ?? SECONDS;
    try {
      const plain = await runPlain(machine, seconds);
      for (const startMode of ['first_reply', 'first_text'] as const)
        await talkToTheSilent(machine, reporter, { seconds, startMode, plain });
      await answerReplies(machine, reporter, { seconds, plain });
      await machine.judge(reporter);
    } finally {
      await machine.close();
    }
  },
};

const plainSchema = z.object({
  plain: z.object({ conversations: z.number(), turns: z.number() }),
});
type Plain = z.infer<typeof plainSchema>['plain'];

async function runPlain({ stack }: Machine, seconds: number): Promise<Plain> {
  const { namespace } = stack.temporal.options;
  const settings = { address: stack.temporalAddress, namespace, seconds };
  let output = '';
  const child = await startRaw('plain/run', settings, (text) => {
    output += text;
  });
  const ended = await child.exited;
  const line = output.split('\n').find((text) => text.startsWith('{"plain"'));
  if (line === undefined) throw new Error(`the plain workflows ended (${ended}):\n${child.tail()}`);
  return plainSchema.parse(JSON.parse(line)).plain;
}

/** Start, one text, its reports, close: as the engine does it for people who say nothing, and with a workflow each. */
async function talkToTheSilent(
  machine: Machine,
  reporter: Reporter,
  options: {
    readonly seconds: number;
    readonly startMode: 'first_reply' | 'first_text';
    readonly plain: Plain;
  },
): Promise<void> {
  const { seconds, startMode, plain } = options;
  const people = Math.ceil(seconds * PEOPLE[startMode]);
  const name = startMode === 'first_text' ? 'workflows.started' : 'workflows';
  const { perSecond, cpuMsEach } = await run(machine, {
    name,
    area: startMode === 'first_text' ? '404' : '303',
    people,
    startMode,
    counts: 'create',
  });
  reporter.add({
    name,
    value: perSecond,
    unit: 'conversations/s',
    ratio: perSecond / plain.conversations,
    with: { plain: plain.conversations, people, startMode, cpuMsEach },
  });
}

/** Everybody answers at once: turns a second while replies wait. */
async function answerReplies(
  machine: Machine,
  reporter: Reporter,
  { seconds, plain }: { readonly seconds: number; readonly plain: Plain },
): Promise<void> {
  await machine.stack.steer('PUT', 'settings', { replyShare: 1 });
  const people = Math.ceil(seconds * PEOPLE.replies);
  const { perSecond, cpuMsEach } = await run(machine, {
    name: 'turns',
    area: '503',
    people,
    startMode: 'first_reply',
    counts: 'answer',
  });
  reporter.add({
    name: 'workflows.turns',
    value: perSecond,
    unit: 'turns/s',
    ratio: perSecond / plain.turns,
    with: { plain: plain.turns, people, cpuMsEach },
  });
}

/** Runs a campaign to its end, and counts the middle eight tenths of its texts, or of its answers. */
async function run(
  machine: Machine,
  wish: {
    readonly name: string;
    readonly area: string;
    readonly people: number;
    readonly startMode: 'first_reply' | 'first_text';
    readonly counts: 'create' | 'answer';
  },
): Promise<{ perSecond: number; cpuMsEach: Record<string, number> }> {
  const { stack, meter } = machine;
  const campaign = await stack.prepare({
    name: wish.name,
    csv: peopleCsv(wish.area, wish.people),
    senders: SENDERS,
    segmentsPerSecond: 2_000 / SENDERS,
    replyWindowSeconds: 2,
    startMode: wish.startMode,
    withoutBrakes: true,
  });
  const launchedAt = Date.now();
  const stop = meter.start();
  await stack.api.post(`${campaign.path}/launch`, campaignSchema);
  await stack.finished(campaign, DRAIN_WITHIN_MS);
  const cpu = stop();
  await drained(stack.urls.simulator, DRAIN_WITHIN_MS);
  const seen = new Set<string>();
  const times: number[] = [];
  for await (const { kind, atMs, to } of readTalk(machine, launchedAt)) {
    if (kind !== 'create') continue;
    if (wish.counts === 'create' || seen.has(to)) times.push(atMs);
    seen.add(to);
  }
  times.sort((a, b) => a - b);
  const [low, high] = [Math.floor(times.length * 0.1), Math.floor(times.length * 0.9)];
  const tookMs = (times[high] ?? Number.NaN) - (times[low] ?? Number.NaN);
  return {
    perSecond: ((high - low) / tookMs) * 1_000,
    cpuMsEach: Object.fromEntries(
      Object.entries(cpu).map(([name, ms]) => [name, ms / Math.max(1, times.length)]),
    ),
  };
}
