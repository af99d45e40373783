import { AHEAD_MS } from './sender-pace.ts';

/** Room for rows in hand: that of the process, or one pool's share of it. */
export interface Sockets {
  /** Rows that may be claimed now. */
  free(): number;
  /** Takes room for one row; false when there is none. */
  tryTake(): boolean;
  release(): void;
  /** Resolves when there may be room, or after `timeoutMs`. */
  whenFree(timeoutMs: number): Promise<void>;
}

/** A pool's share, until it is closed. */
export interface SocketShare extends Sockets {
  close(): void;
}

/** The sockets themselves. */
export interface Wire {
  /** Waits for a socket, in turn, until that moment of the monotonic clock; false when there was none. */
  take(until: number): Promise<boolean>;
  /** Gives it back after a request of that many milliseconds; null: it carried none. */
  give(tookMs: number | null): void;
}

/** A single quick answer must not open the gates. */
const LATENCY_WEIGHT = 0.05;
const LEAST_LATENCY_MS = 5;
/** Rows in hand for each socket, at most. */
const MOST_A_SOCKET = 8;

/**
 * Bounds the rows that this process has in hand. A row is claimed up to `AHEAD_MS` before its sender's turn,
 * and needs a socket only from then on: so there is room for what the sockets carry and for what they will take
 * up in that time, by the latency of late (Little's law). Where the provider slows down the room shrinks to the
 * sockets alone, and while a row waits for one nothing is claimed, so that rows do not queue behind each other.
 *
 * Pools take room through shares: one alone may use it all; several leave each other half of an equal part at
 * least, so that a large pool never makes a small one wait.
 */
export function createSockets(size: number) {
  let inHand = 0;
  let shares = 0;
  let waiters: (() => void)[] = [];
  let onWire = 0;
  let latencyMs = Number.POSITIVE_INFINITY;
  const queue = new Set<(taken: boolean) => void>();

  const room = (): number =>
    size + Math.floor(size * Math.min(MOST_A_SOCKET - 1, AHEAD_MS / latencyMs));

  const sockets: Sockets = {
    free: () => (queue.size > 0 ? 0 : Math.max(0, room() - inHand)),
    tryTake: () => {
      if (sockets.free() === 0) return false;
      inHand += 1;
      return true;
    },
    release: () => {
      inHand -= 1;
      const ready = waiters;
      waiters = [];
      for (const wake of ready) wake();
    },
    whenFree: (timeoutMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };

  const wire: Wire = {
    take: async (until) => {
      if (onWire < size) {
        onWire += 1;
        return true;
      }
      return new Promise((resolve) => {
        const timer = setTimeout(() => settle(false), Math.max(0, until - performance.now()));
        const settle = (taken: boolean): void => {
          clearTimeout(timer);
          queue.delete(settle);
          resolve(taken);
        };
        queue.add(settle);
      });
    },
    give: (tookMs) => {
      if (tookMs !== null) note(Math.max(LEAST_LATENCY_MS, tookMs));
      const [next] = queue;
      if (next === undefined) onWire -= 1;
      else next(true);
    },
  };
  const note = (tookMs: number): void => {
    latencyMs = Number.isFinite(latencyMs)
      ? latencyMs + (tookMs - latencyMs) * LATENCY_WEIGHT
      : tookMs;
  };

  const share = (): SocketShare => {
    let mine = 0;
    shares += 1;
    const most = (): number => {
      const all = room();
      const left = Math.max(1, Math.floor(all / (2 * shares)));
      return Math.max(1, all - (shares - 1) * left);
    };
    const free = (): number => Math.max(0, Math.min(sockets.free(), most() - mine));
    return {
      free,
      tryTake: () => {
        if (free() === 0 || !sockets.tryTake()) return false;
        mine += 1;
        return true;
      },
      release: () => {
        mine -= 1;
        sockets.release();
      },
      whenFree: (timeoutMs) => sockets.whenFree(timeoutMs),
      close: () => {
        shares -= 1;
      },
    };
  };

  return { ...sockets, inHand: () => inHand, wire, share };
}
