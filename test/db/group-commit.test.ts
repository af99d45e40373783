import { describe, expect, test } from 'vitest';
import { createIngest } from '../../api/webhooks/ingest.ts';
import { createGroupCommit, OverloadedError } from '../../db/group-commit.ts';
import { newId } from '../../db/ids.ts';
import type { InboundArrival } from '../../db/inbound.ts';
import { createNotifier } from '../../db/notifier.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();

class PoisonError extends Error {
  readonly code = '22P02';
}

/** A writer that refuses batches with a poisoned (negative) item, as a database does. */
function createWriter(
  overrides: Partial<Parameters<typeof createGroupCommit<number, string>>[0]> = {},
) {
  const batches: number[][] = [];
  const commit = createGroupCommit<number, string>({
    maxItems: 200,
    maxBytes: 1_000_000,
    maxQueued: 1_000,
    sizeOf: () => 1,
    write: async (items) => {
      if (items.some((item) => item < 0)) throw new PoisonError('invalid');
      batches.push([...items]);
      return items.map((item) => `stored ${item}`);
    },
    refuse: async (item) => `refused ${item}`,
    ...overrides,
  });
  return { batches, commit };
}

describe('a group commit', () => {
  test('refuses the poisoned item of a hundred alone and stores the others, each once', async () => {
    const { batches, commit } = createWriter();
    const items = Array.from({ length: 100 }, (_, n) => (n === 37 ? -37 : n));
    const results = await Promise.all(items.map((item) => commit.add(item)));
    expect(results).toEqual(items.map((item) => (item < 0 ? `refused ${item}` : `stored ${item}`)));
    expect(batches.flat().toSorted((a, b) => a - b)).toEqual(items.filter((item) => item >= 0));
  });

  test('writes what arrives while a batch is in flight as one batch', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const batches: number[][] = [];
    const { commit } = createWriter({
      write: async (items) => {
        batches.push([...items]);
        await held;
        return items.map(String);
      },
    });
    const first = commit.add(1);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    const later = [2, 3, 4].map((item) => commit.add(item));
    release();
    await Promise.all([first, ...later]);
    expect(batches).toEqual([[1], [2, 3, 4]]);
  });

  test('keeps batches within their bytes', async () => {
    const { batches, commit } = createWriter({ maxBytes: 10, sizeOf: (item) => item });
    await Promise.all([6, 6, 3, 20, 1].map((item) => commit.add(item)));
    expect(batches).toEqual([[6], [6, 3], [20], [1]]);
  });

  test('tells everybody in the batch when the connection is lost, and works again after', async () => {
    let isAway = true;
    const { commit } = createWriter({
      write: async (items) => {
        if (isAway) throw new Error('connection lost');
        return items.map(String);
      },
    });
    const results = await Promise.allSettled([1, 2, 3].map((item) => commit.add(item)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    isAway = false;
    await expect(commit.add(4)).resolves.toBe('4');
  });

  test('takes no more than may wait', async () => {
    const { commit } = createWriter({ maxQueued: 2 });
    const results = await Promise.allSettled([1, 2, 3].map((item) => commit.add(item)));
    expect(results[2]).toMatchObject({ status: 'rejected', reason: expect.any(OverloadedError) });
    expect(results.slice(0, 2).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    await commit.idle();
    expect(commit.queued()).toBe(0);
  });

  test('stores 99 texts and keeps the one the database refuses in quarantine', async () => {
    const { database, accountId, orgId, senders } = ledger();
    const ingest = createIngest({ database, notifier: createNotifier(database) });
    const arrivals = Array.from({ length: 100 }, (_, n): InboundArrival => ({
      accountId,
      // An org that does not exist: what a foreign key refuses.
      orgId: n === 61 ? newId() : orgId,
      orgName: 'Test Org',
      providerMessageId: `SM${String(n).padStart(32, 'a')}`,
      address: `+1404555${String(1_000 + n)}`,
      sender: senders[0]?.e164 ?? '',
      body: `text ${n}`,
      media: [],
      providerKeyword: null,
      receivedAt: new Date(),
      timed: true,
    }));
    await Promise.all(
      arrivals.map((parsed) => ingest.addInbound({ parsed, raw: `raw ${parsed.body}` })),
    );
    expect(await ledger().count(`message where direction = 'inbound'`)).toBe(99);
    const kept = await database.query<{ raw: Uint8Array }>('select raw from quarantine');
    expect(kept.map(({ raw }) => Buffer.from(raw).toString('utf8'))).toEqual(['raw text 61']);
  });
});
