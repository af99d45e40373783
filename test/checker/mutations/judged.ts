import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { waitUntil } from '../../support/wait-until.ts';
import { check, type ExpectationsInput, type Verdict } from '../check.ts';

/** Other processes and tests share the machine: what left at its time may be seen late. */
const JITTER_MS = 250;

const stateSchema = z.object({ journal: z.number() });

export interface Run {
  readonly engineUrl: string;
  readonly simulatorJournal: string;
  readonly clientsJournal: string | null;
  /** Null where the run had no simulator. */
  readonly simulatorUrl: string | null;
}

/** Judges a run that is over. */
export async function judge(run: Run, expectations: ExpectationsInput = {}): Promise<Verdict[]> {
  if (run.simulatorUrl !== null) await untilWritten(run.simulatorUrl, run.simulatorJournal);
  return check({
    databaseUrl: run.engineUrl,
    providerJournal: run.simulatorJournal,
    clientJournal: run.clientsJournal,
    expectations: { healed: true, jitterMs: JITTER_MS, ...expectations },
  });
}

/** The simulator writes its journal a moment behind. */
async function untilWritten(simulatorUrl: string, file: string): Promise<void> {
  const answer = await fetch(`${simulatorUrl}/simulator/state`);
  const { journal } = stateSchema.parse(await answer.json());
  await waitUntil(async () => (await readFile(file, 'utf8')).includes(`{"n":${journal},`), {
    what: 'the journal to be written',
    everyMs: 20,
  });
}
