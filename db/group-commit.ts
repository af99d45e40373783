import { isDataError } from './client.ts';

export interface GroupCommitOptions<Item, Result> {
  readonly maxItems: number;
  readonly maxBytes: number;
  /** Items that may wait; more are refused with `OverloadedError`. */
  readonly maxQueued: number;
  /** How long (ms) a batch waits at most while more keeps arriving; not at all where nothing is said. */
  readonly lingerMs?: number;
  /** Items for which it waits no longer: writing them goes on beside the reading of others. */
  readonly enough?: number;
  /** Batches that may be written beside each other, where their order does not matter; 1 where nothing is said. */
  readonly batchesAtOnce?: number;
  readonly sizeOf: (item: Item) => number;
  /** Writes a batch in one statement: all of it or nothing. */
  readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Called for a single item whose data the database refuses. */
  readonly refuse: (item: Item, error: unknown) => Promise<Result>;
}

/** Too much is waiting to be written; the other side should try again later. */
export class OverloadedError extends Error {}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commits items together with their neighbours: a batch starts as soon as none is in flight, and whatever
 * arrives meanwhile forms the next; five times the rate of one commit per item. What nobody waits for may
 * linger, so that batches are large at low rates too.
 * A batch that the database refuses for its data is halved until the bad item stands alone.
 */
export function createGroupCommit<Item, Result>(options: GroupCommitOptions<Item, Result>) {
  const queue: Waiting<Item, Result>[] = [];
  const { maxItems, lingerMs = 0, enough = maxItems } = options;
  const writing = new Set<Promise<void>>();
  const gathering = new Set<Promise<void>>();

  const writeBatch = async (batch: readonly Waiting<Item, Result>[]): Promise<void> => {
    try {
      const results = await options.write(batch.map((waiting) => waiting.item));
      for (const [index, waiting] of batch.entries()) waiting.resolve(results[index] as Result);
    } catch (error) {
      await splitOrFail(batch, error);
    }
  };

  const splitOrFail = async (
    batch: readonly Waiting<Item, Result>[],
    error: unknown,
  ): Promise<void> => {
    const [only] = batch;
    if (!isDataError(error)) {
      for (const waiting of batch) waiting.reject(error);
    } else if (batch.length === 1 && only !== undefined) {
      await options.refuse(only.item, error).then(only.resolve, only.reject);
    } else {
      const middle = Math.ceil(batch.length / 2);
      await writeBatch(batch.slice(0, middle));
      await writeBatch(batch.slice(middle));
    }
  };

  let whenEnough = (): void => {};
  /** One turn of the event loop gathers what arrived together; a linger, what keeps arriving. */
  const gather = async (): Promise<void> => {
    await new Promise(setImmediate);
    const until = performance.now() + lingerMs;
    for (let seen = 0; seen < queue.length && queue.length < enough && performance.now() < until;) {
      seen = queue.length;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, STEP_MS);
        whenEnough = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };

  const start = (): void => {
    if (queue.length > 0 && writing.size < (options.batchesAtOnce ?? 1) && gathering.size === 0)
      gathering.add(next());
  };

  const next = async (): Promise<void> => {
    await gather();
    const write = writeBatch(takeBatch(queue, options));
    writing.add(write);
    gathering.clear();
    start();
    void write.finally(() => {
      writing.delete(write);
      start();
    });
  };

  return {
    /** Resolves after the item's commit. */
    add: async (item: Item): Promise<Result> => {
      if (queue.length >= options.maxQueued)
        throw new OverloadedError('too many writes are waiting');
      return new Promise<Result>((resolve, reject) => {
        queue.push({ item, resolve, reject });
        if (queue.length >= enough) whenEnough();
        start();
      });
    },
    queued: () => queue.length,
    /** Waits until everything that was added is written. */
    idle: async (): Promise<void> => {
      while (gathering.size + writing.size > 0) await Promise.all([...gathering, ...writing]);
    },
  };
}

/** A linger ends when nothing came for so long (ms): whoever waits for our answers sends no more before them. */
const STEP_MS = 1;

function takeBatch<Item, Result>(
  queue: Waiting<Item, Result>[],
  { maxItems, maxBytes, sizeOf }: GroupCommitOptions<Item, Result>,
): Waiting<Item, Result>[] {
  let bytes = 0;
  let count = 0;
  for (const waiting of queue) {
    bytes += sizeOf(waiting.item);
    if (count > 0 && (count >= maxItems || bytes > maxBytes)) break;
    count += 1;
  }
  return queue.splice(0, count);
}
