import { isDataError } from '../db/client.ts';
import type { Database } from '../db/client.ts';
import { faultPoint } from '../faults/points.ts';
import { recordOutcomes, type SendRecord } from '../db/records.ts';

/** How long the first outcome of a batch waits for its neighbours, in milliseconds; nothing waits on it. */
const LINGER_MS = 40;
const MAX_BATCH = 200;
/** A result in hand is worth many tries: without it, reconcile has to ask the provider. */
const TRIES = 8;
const AGAIN_MS = 250;

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
    const write = writeBatch(database, batch);
    inFlight.add(write);
    void write.then(() => inFlight.delete(write));
  };

  return {
    add: (record: SendRecord): Promise<void> =>
      new Promise((resolve, reject) => {
        waiting.push({ record: storable(record), resolve, reject });
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

/** Settles every item of the batch; never rejects. */
async function writeBatch(database: Database, batch: readonly Waiting[], tries = 1): Promise<void> {
  try {
    await recordOutcomes(
      database,
      batch.map(({ record }) => record),
    );
    faultPoint('send.recorded');
    for (const { resolve } of batch) resolve();
  } catch (error) {
    const isBad = isDataError(error);
    if (isBad && batch.length > 1) {
      const middle = Math.ceil(batch.length / 2);
      await writeBatch(database, batch.slice(0, middle));
      await writeBatch(database, batch.slice(middle));
    } else if (isBad || tries >= TRIES) {
      for (const { reject } of batch) reject(error);
    } else {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS * tries));
      await writeBatch(database, batch, tries + 1);
    }
  }
}

/** A provider's words may hold what Postgres does not take. */
function storable(record: SendRecord): SendRecord {
  return {
    ...record,
    reason: record.reason?.toWellFormed().replaceAll('\u0000', '\uFFFD').slice(0, 1_000) ?? null,
  };
}
