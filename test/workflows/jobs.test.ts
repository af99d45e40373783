import { describe, expect, test } from 'vitest';
import {
  ARCHIVE_WORKFLOW,
  EXPORT_WORKFLOW,
  IMPORT_WORKFLOW,
  MAINTENANCE_JOBS,
  MAINTENANCE_WORKFLOW,
  ringSignal,
} from '../../workflows/contract.ts';
import type { ArchiveRound } from '../../activities/archives.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createGate, withWorkflows } from './support.ts';

const bench = withWorkflows();
const EXPORT = { exportId: '00000000-0000-7000-8000-000000000005' };
const IMPORT = { importId: '00000000-0000-7000-8000-000000000004' };

describe('an import’s workflow', () => {
  test('imports its file and ends', async () => {
    const seen: unknown[] = [];
    const runImport = async (input: { readonly importId: string }) => {
      seen.push(input);
      return { state: 'finished', rows: 3 };
    };
    await bench().run({ runImport }, async () =>
      (await bench().start(IMPORT_WORKFLOW, IMPORT)).result(),
    );
    expect(seen).toEqual([IMPORT]);
  });

  test('tries again when its activity failed, and takes rings for nothing', async () => {
    const gate = createGate();
    let calls = 0;
    const runImport = async () => {
      calls += 1;
      if (calls < 3) throw new Error('the database is away');
      await gate.opened;
      return { state: 'finished', rows: 3 };
    };
    await bench().run({ runImport }, async () => {
      const workflow = await bench().start(IMPORT_WORKFLOW, IMPORT);
      await workflow.signal(ringSignal);
      const ended = workflow.result();
      await waitUntil(() => calls === 3, { what: 'the third try' });
      await workflow.signal(ringSignal);
      gate.open();
      await ended;
    });
    expect(calls).toBe(3);
  });
});

describe('an export’s workflow', () => {
  test('writes its file, again after a failure, and ends', async () => {
    const seen: unknown[] = [];
    const runExport = async (input: { readonly exportId: string }) => {
      seen.push(input);
      if (seen.length < 2) throw new Error('the database is away');
      return { state: 'finished', rows: 3 };
    };
    await bench().run({ runExport }, async () => {
      const workflow = await bench().start(EXPORT_WORKFLOW, EXPORT);
      await workflow.signal(ringSignal);
      await workflow.result();
    });
    expect(seen).toEqual([EXPORT, EXPORT]);
  });
});

const REPORT = {
  job: 'housekeeping',
  startedAt: '2026-06-01T00:00:00.000Z',
  done: { partitionsMade: 3 },
  held: [],
  problem: null,
} as const;

describe('a maintenance run', () => {
  test.each(MAINTENANCE_JOBS)('of %s does that job once and ends', async (job) => {
    const log: string[] = [];
    const note =
      <Result>(name: string, result: Result) =>
      async (): Promise<Result> => {
        log.push(name);
        return result;
      };
    const activities = {
      reconcile: note('reconcile', { expired: 0, looked: 0, stranded: 0 }),
      listInboundAccounts: note('fill-inbound-gaps', []),
      fillInboundGap: note('fill-inbound-gap', { found: 0, complete: true }),
      foldCounters: note('fold-counters', { folded: 0 }),
      housekeeping: note('housekeeping', REPORT),
    };
    await bench().run(activities, async () =>
      (await bench().start(MAINTENANCE_WORKFLOW, { job })).result(),
    );
    expect(log).toEqual([job]);
  });

  test('fills every account’s gap though one account fails', async () => {
    const filled: string[] = [];
    const activities = {
      listInboundAccounts: async () => ['one', 'broken', 'three'],
      fillInboundGap: async ({ accountId }: { accountId: string }) => {
        if (accountId === 'broken') throw new Error('no answer');
        filled.push(accountId);
        return { found: 0, complete: true };
      },
    };
    await bench().run(activities, async () =>
      (await bench().start(MAINTENANCE_WORKFLOW, { job: 'fill-inbound-gaps' })).result(),
    );
    expect(filled.toSorted()).toEqual(['one', 'three']);
  });
});

describe('an archive’s workflow', () => {
  const held = [
    {
      parent: 'message',
      month: '2026-03-01',
      reason: 'lock-busy',
      campaigns: 0,
      campaignIds: [],
    },
  ] as const;
  const rest = { more: false, busy: false, done: {}, held: [] };

  /** Runs it over these rounds; what it reported, and its result. */
  async function run(rounds: (() => Promise<ArchiveRound>)[]) {
    const reports: unknown[] = [];
    let next = 0;
    const activities = {
      archiveRound: async () => (rounds[next++] ?? (async () => rest))(),
      noteHousekeeping: async (report: unknown) => void reports.push(report),
    };
    const result: unknown = await bench().run(activities, async () =>
      (await bench().start(ARCHIVE_WORKFLOW, {})).result(),
    );
    return { reports, result, rounds: next };
  }

  test('goes on while there is more, and reports the sum', async () => {
    const more = async () => ({
      ...rest,
      more: true,
      done: { slicesWritten: 50, filesWritten: 3 },
    });
    const { reports, result, rounds } = await run([more, more]);
    const sum = { done: { slicesWritten: 100, filesWritten: 6 }, held: [], problem: null };
    expect(rounds).toBe(3);
    expect(result).toMatchObject(sum);
    expect(reports).toEqual([expect.objectContaining({ job: 'archive', ...sum })]);
  });

  test('tries again in a while where a month is read, and at last leaves it to the next run', async () => {
    const busy = async () => ({ ...rest, busy: true, held });
    const { result, rounds } = await run(Array.from({ length: 100 }, () => busy));
    expect(rounds).toBe(21);
    expect(result).toMatchObject({ held, problem: null });
    expect((await run([busy])).result).toMatchObject({ held: [] });
  });

  test('reports why it stopped where a round fails for good', async () => {
    const fails = async () => Promise.reject(new Error('no space left'));
    const { reports, rounds } = await run([fails, fails, fails, fails]);
    expect(rounds).toBe(3);
    expect(reports).toMatchObject([{ problem: 'no space left', done: {} }]);
  });

  test('begins a fresh history after 200 rounds, and forgets nothing', async () => {
    const more = async () => ({ ...rest, more: true, done: { slicesWritten: 1 } });
    const { result } = await run(Array.from({ length: 201 }, () => more));
    expect(result).toMatchObject({ done: { slicesWritten: 201 } });
  });
});
