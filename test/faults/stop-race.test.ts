import { MockActivityEnvironment } from '@temporalio/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createSendingActivities, type SendPlannedResult } from '../../activities/sending.ts';
import { createSockets } from '../../activities/sockets.ts';
import { createIngest } from '../../api/webhooks/ingest.ts';
import { newId } from '../../db/ids.ts';
import { createNotifier } from '../../db/notifier.ts';
import type { SendOutcome } from '../../providers/messaging-provider.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();

const TRIALS = 10_000;
/** How long a POST waits for a socket at most: the time in which a stop may overtake it. */
const SOCKET_WAIT_MS = 40;
/** Some wait about as long as a claim is good for. */
function waitForSocket(): number {
  return Math.random() < 0.05 ? 440 + Math.random() * 80 : Math.random() * SOCKET_WAIT_MS;
}

/** How far a stop may run ahead of, or behind, the text that it races. */
const NEAR = 60;

test('of 10,000 stops that race a text to the same person, none is acknowledged before a POST that starts later', async () => {
  const { database, accountId, orgId, poolId, senders } = ledger();
  const campaign = await ledger().addCampaign({ people: TRIALS });
  // In the order in which they are claimed: all are due at one time.
  const people = campaign.people
    .toSorted((one, other) => (one.messageId < other.messageId ? -1 : 1))
    .map(({ address }) => address);
  const places = new Map(people.map((address, place) => [address, place]));
  const startedAt = new Map<string, number>();
  const arrivedAt = new Map<string, number>();
  const acknowledgedAt = new Map<string, number>();
  const sending = { front: 0, isOver: false };
  const provider = createScriptedProvider({
    maxConcurrentSends: 64,
    send: async (_account, text, options): Promise<SendOutcome> => {
      sending.front = Math.max(sending.front, places.get(text.to) ?? 0);
      await sleep(waitForSocket());
      // A provider's adapter asks in the tick that writes the first byte.
      if (!options.mayStart()) return { kind: 'not-started', detail: 'too late' };
      startedAt.set(text.to, performance.now());
      return {
        kind: 'accepted',
        providerMessageId: `SM${newId().replaceAll('-', '')}`,
        from: text.from,
      };
    },
  });
  const deps = { ...createActivityDeps(ledger(), provider), sockets: createSockets(64) };
  const { sendPlanned } = createSendingActivities(deps);
  const ingest = createIngest({ database, notifier: createNotifier(database) });

  const stop = async (address: string): Promise<void> => {
    arrivedAt.set(address, performance.now());
    await ingest.addInbound({
      raw: '',
      parsed: {
        accountId,
        orgId,
        orgName: 'Test Org',
        providerMessageId: `SM${newId().replaceAll('-', '')}`,
        address,
        sender: senders[0]?.e164 ?? '',
        body: 'STOP',
        media: [],
        // The provider has confirmed it: no text of ours follows.
        providerKeyword: 'stop',
        receivedAt: new Date(),
        timed: true,
      },
    });
    acknowledgedAt.set(address, performance.now());
  };
  // Each stop falls when the texts have come within some people of its own, before or after.
  const order = people
    .map((address, place) => ({ address, at: place + (Math.random() * 2 - 1) * NEAR }))
    .toSorted((one, other) => one.at - other.at);
  const stops = (async () => {
    const under: Promise<void>[] = [];
    for (const { address, at } of order) {
      while (!sending.isOver && at > sending.front) await sleep(1);
      under.push(stop(address));
    }
    await Promise.all(under);
  })();
  let result: SendPlannedResult = { asleep: false, waitMs: 0 };
  while (!result.asleep)
    result = await new MockActivityEnvironment().run(() => sendPlanned({ poolId }));
  sending.isOver = true;
  await stops;
  await ingest.close();
  await deps.recorder.close();

  expect(acknowledgedAt.size).toBe(TRIALS);
  const late = people.filter(
    (person) => (startedAt.get(person) ?? 0) > (acknowledgedAt.get(person) ?? 0),
  );
  expect(late).toEqual([]);
  // Both came first often, and within 50 ms of each other often: otherwise nothing was raced.
  expect(startedAt.size).toBeGreaterThan(TRIALS / 20);
  expect(TRIALS - startedAt.size).toBeGreaterThan(TRIALS / 20);
  const near = [...startedAt].filter(
    ([person, at]) => Math.abs((arrivedAt.get(person) ?? 0) - at) < 50,
  );
  expect(near.length).toBeGreaterThan(TRIALS / 50);
  expect(await ledger().count(`message where state in ('planned', 'sending')`)).toBe(0);
}, 240_000);
