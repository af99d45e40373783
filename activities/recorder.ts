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
  const inFlight = new Set<Promise<void>>();

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const write = recordOutcomes(
      database,
      batch.map(({ record }) => record),
    ).then(
      () => {
        for (const { resolve } of batch) resolve();
      },
      (error: unknown) => {
        for (const { reject } of batch) reject(error);
      },
    );
    inFlight.add(write);
    void write.finally(() => inFlight.delete(write));
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
      await Promise.all(inFlight);
    },
  };
}

export type Recorder = ReturnType<typeof createRecorder>;
