/** People who answer while a campaign sends: each reply starts a conversation workflow, which answers it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { campaignSchema } from '../cli/demo-client.ts';
import { peopleCsv } from '../test/support/stack/campaigns.ts';
import { percentile, type Reporter } from './figure.ts';
import { drained, readAnswers, readState } from './journal.ts';
import { startMachine, type Machine } from './machine.ts';
import type { Scenario } from './scenario.ts';

const RATE = 300;
const SECONDS = 40;
const REPLY_SHARE = 0.1;
const DRAIN_WITHIN_MS = 120_000;

export const mixed: Scenario = {
  about: 'texts with one in ten people answering into a conversation workflow',
  run: async (reporter, options) => {
    const { workers, profile, temporal } = options;
    const machine = await startMachine({
      name: 'mixed',
      workers,
      profile,
      temporal,
      settings: {
        SIMULATOR_REPLY_SHARE: String(REPLY_SHARE),
        SIMULATOR_REPLY_DELAY_MS: '500-3000',
      },
    });
    try {
      await measure(machine, reporter, options.rate ?? RATE, options.seconds ?? SECONDS);
      await machine.judge(reporter);
    } finally {
      await machine.close();
    }
  },
};

// oxlint-disable-next-line max-params -- a rate and how long it is kept belong together
async function measure(
  machine: Machine,
  reporter: Reporter,
  rate: number,
  seconds: number,
): Promise<void> {
  const { stack, meter } = machine;
  const people = Math.ceil(rate * seconds);
  const campaign = await stack.prepare({
    name: 'mixed',
    csv: peopleCsv('303', people),
    senders: 20,
    // Answers need permits too.
    segmentsPerSecond: (rate / 20) * (1.04 + REPLY_SHARE),
    replyWindowSeconds: 10,
  });
  const launchedAt = Date.now();
  await stack.api.post(`${campaign.path}/launch`, campaignSchema);
  const stop = meter.start();
  await sleep(seconds * 1_000);
  const { waiting } = await readState(stack.urls.simulator);
  const [outbox] = await stack.database.query<{ n: number }>(
    'select count(*)::int as n from outbox',
  );
  const cpu = stop();
  await stack.finished(campaign, DRAIN_WITHIN_MS);
  await drained(stack.urls.simulator, DRAIN_WITHIN_MS);
  const stretches = await stack.database.query<{ turn_ms: number; send_ms: number }>(STRETCHES);
  for (const [name, key] of [
    ['turn', 'turn_ms'],
    ['send', 'send_ms'],
  ] as const) {
    const values = stretches.map((row) => row[key]);
    const p50Ms = percentile(values, 0.5);
    reporter.add({
      name: `mixed.answer.${name}.p95`,
      value: percentile(values, 0.95),
      unit: 'ms',
      with: { p50Ms },
    });
  }
  const { waits, replies, creates } = await readAnswers(machine, launchedAt);
  reporter.add({
    name: 'mixed',
    value: creates / ((Date.now() - launchedAt) / 1_000),
    unit: 'texts/s',
    with: {
      asked: rate,
      replies,
      webhooksWaiting: waiting,
      doorbellsWaiting: outbox?.n,
      cpuMs: cpu,
    },
  });
  reporter.add({ name: 'mixed.answer.p50', value: percentile(waits, 0.5), unit: 'ms' });
  reporter.add({
    name: 'mixed.answer.p95',
    value: percentile(waits, 0.95),
    unit: 'ms',
    with: { answered: waits.length },
  });
}

/** From a reply's storage to the answer's row, and from there to its claim. */
const STRETCHES = `
select extract(epoch from m.created_at - i.created_at)::float8 * 1000 as turn_ms,
       extract(epoch from m.claimed_at - m.created_at)::float8 * 1000 as send_ms
  from message m join lateral (
       select created_at from message i where i.conversation_id = m.conversation_id and i.direction = 'inbound' and i.created_at <= m.created_at
        order by i.id desc limit 1) i on true
 where m.purpose = 'auto_reply' and m.claimed_at is not null`;
