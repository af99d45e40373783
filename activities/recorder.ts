import type { Database } from '../db/client.ts';
import { recordOutcomes, type SendRecord } from '../db/records.ts';

/** How long the first outcome of a batch waits for its neighbours, in milliseconds; nothing waits on it. */
const LINGER_MS = 20;
const MAX_BATCH = 200;

interface Waiting {
  readonly record: SendRecord;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Records outcomes of this process in batches: at low rates a short linger halves the cost per text.
 * `add` resolves after the commit.
 */
export function createRecorder(database: Database) {
  let waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | null = null;
  const inFlight = new Set<Promise<unknown>>();

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const write = recordOutcomes(
      database,
      batch.map(({ record }) => record),
    );
    for (const { resolve, reject } of batch) write.then(() => resolve(), reject);
    inFlight.add(write);
    write.catch(() => {}).finally(() => inFlight.delete(write));
  };

  return {
    add: (record: SendRecord): Promise<void> =>
      new Promise((resolve, reject) => {
        waiting.push({ record, resolve, reject });
        if (waiting.length >= MAX_BATCH) flush();
        else timer ??= setTimeout(flush, LINGER_MS);
      }),
    /** Writes what is left; at shutdown. */
    close: async (): Promise<void> => {
      flush();
      await Promise.allSettled(inFlight);
    },
  };
}

export type Recorder = ReturnType<typeof createRecorder>;
