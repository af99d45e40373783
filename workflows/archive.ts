import { ActivityFailure, continueAsNew, log, sleep } from '@temporalio/workflow';
import { archiving, steps } from './activity-options.ts';
import type { ArchiveInput, ArchiveResult } from './contract.ts';

/** Rounds of one run; then a fresh history begins. */
const ROUNDS_A_RUN = 200;
/** Tries to lock a month before the next hour's run has another go. */
const BUSY_TRIES = 20;
const BUSY_PAUSE = '15s';

/**
 * Takes old months out of the ledger, a bounded round at a time, and reports. Nothing of it is in memory alone: a run that dies is
 * followed by the next hour's, which goes on where the cursors stand.
 */
export async function archiveWorkflow(input: ArchiveInput): Promise<ArchiveResult> {
  const startedAt = input.startedAt ?? new Date().toISOString();
  const done = { ...input.done };
  let held: ArchiveResult['held'] = [];
  let problem: string | null = null;
  let busyTries = 0;
  try {
    for (let rounds = 0; ; rounds += 1) {
      if (rounds === ROUNDS_A_RUN) await continueAsNew<typeof archiveWorkflow>({ startedAt, done });
      const round = await archiving.archiveRound();
      for (const [name, n] of Object.entries(round.done)) done[name] = (done[name] ?? 0) + n;
      held = round.held;
      if (round.more) continue;
      if (!round.busy || busyTries === BUSY_TRIES) break;
      busyTries += 1;
      await sleep(BUSY_PAUSE);
    }
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    problem = error.cause?.message ?? error.message;
    log.warn('archiving stopped; the next run goes on', { problem });
  }
  const result = { startedAt, done, held, problem };
  await steps.noteHousekeeping({ job: 'archive', ...result });
  return result;
}
