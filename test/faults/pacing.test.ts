import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anythingSchema } from '../../cli/demo-client.ts';
import { launch, peopleCsv, type LaunchedCampaign } from '../support/stack/campaigns.ts';
import type { Create } from '../support/stack/journals.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startStack } from '../e2e/support.ts';

const LONG = `Hi {{first_name}}, ${'this is a rather long story about the election. '.repeat(8)} Reply STOP to opt out.`;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    workers: 2,
    settings: { SIMULATOR_LATENCY_MS: '40', MAX_CONCURRENT_SENDS: '8' },
  });
}, 240_000);
afterAll(async () => stack?.close());

async function createsTo(area: string): Promise<Create[]> {
  return (await stack.creates()).filter(({ to }) => to.startsWith(`+1${area}`));
}

async function untilCreated(area: string, n: number): Promise<Create[]> {
  return waitUntil(
    async () => {
      const creates = await createsTo(area);
      return creates.length >= n ? creates : null;
    },
    { what: `${n} texts to ${area}`, timeoutMs: 90_000, everyMs: 100 },
  );
}

/** By GSM-7: every text here is in it. */
function segments({ body }: Create): number {
  return body.length <= 160 ? 1 : Math.ceil(body.length / 153);
}

/** The most segments that any sender started in any one second, by the simulator's clock. */
function worstSecond(creates: readonly Create[]): number {
  const senders = new Set(creates.map(({ from }) => from));
  const windows = [...senders].flatMap((sender) => {
    const own = creates.filter(({ from }) => from === sender);
    return own.map((first) =>
      own
        .filter(
          (each) =>
            each.receivedAtMs >= first.receivedAtMs &&
            each.receivedAtMs < first.receivedAtMs + 1_000,
        )
        .reduce((sum, each) => sum + segments(each), 0),
    );
  });
  return Math.max(...windows);
}

/** From the first text to the last, in milliseconds. */
function span(creates: readonly Create[]): number {
  const times = creates.map(({ receivedAtMs }) => receivedAtMs);
  return Math.max(...times) - Math.min(...times);
}

async function halt(campaign: LaunchedCampaign, action: 'pause' | 'resume'): Promise<void> {
  await stack.api.post(`${campaign.path}/${action}`, anythingSchema);
}

describe('the pace, as the provider sees it', () => {
  test('never has a second above the sender’s limit and one text, not after a pause either', async () => {
    const campaign = await stack.launch({
      name: 'paced',
      csv: peopleCsv('205', 180),
      senders: 3,
      segmentsPerSecond: 6,
      replyWindowSeconds: 1,
    });
    await untilCreated('205', 60);
    await halt(campaign, 'pause');
    const before = (await createsTo('205')).length;
    const pausedAt = Date.now();
    // Three seconds in which 54 texts were due.
    await waitUntil(() => Date.now() > pausedAt + 3_000, { what: 'a pause', timeoutMs: 10_000 });
    expect(await createsTo('205')).toHaveLength(before);
    await halt(campaign, 'resume');
    const creates = await untilCreated('205', 180);
    expect(worstSecond(creates)).toBeLessThanOrEqual(6 + 1);
  });

  test('of a long code at one segment a second lets a text of three segments pass, and then waits for its price', async () => {
    await stack.launch({
      name: 'long',
      csv: peopleCsv('907', 4),
      senders: 1,
      segmentsPerSecond: 1,
      replyWindowSeconds: 1,
      script: { start: 'vote', steps: { vote: { text: LONG } } },
    });
    const creates = await untilCreated('907', 4);
    expect(creates.map(segments)).toEqual([3, 3, 3, 3]);
    const times = creates.map(({ receivedAtMs }) => receivedAtMs);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(2_900);
  });

  test('of a small tenant is not that of the large one beside it', async () => {
    const small = await stack.addTenant('Small');
    const wish = { senders: 2, segmentsPerSecond: 5, replyWindowSeconds: 1 };
    await launch(small, { ...wish, name: 'alone', csv: peopleCsv('312', 40) });
    const alone = span(await untilCreated('312', 40));
    const large = await stack.launch({
      name: 'large',
      csv: peopleCsv('713', 4_000),
      senders: 20,
      // More than all sockets can carry.
      segmentsPerSecond: 100,
      replyWindowSeconds: 1,
    });
    await untilCreated('713', 100);
    await launch(small, { ...wish, name: 'beside', csv: peopleCsv('414', 40) });
    const beside = span(await untilCreated('414', 40));
    const others = (await createsTo('713')).length;
    expect(others).toBeGreaterThan(200);
    await halt(large, 'pause');
    expect(beside).toBeLessThan(alone * 2 + 1_000);
  }, 240_000);
});
