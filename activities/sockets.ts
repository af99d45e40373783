/** Sockets that may carry a POST: those of the process, or one pool's share of them. */
export interface Sockets {
  free(): number;
  /** Takes one socket; false when none is free. */
  tryTake(): boolean;
  release(): void;
  /** Resolves when a socket may be free, or after `timeoutMs`. */
  whenFree(timeoutMs: number): Promise<void>;
}

/** A pool's share, until it is closed. */
export interface SocketShare extends Sockets {
  close(): void;
}

/**
 * Counts the sockets of this process. The send loop never claims more rows than there are free ones, so a
 * claimed row never queues behind another. Pools take them through shares: one alone may use them all;
 * several leave each other half of an equal part at least, so that a large pool never makes a small one wait.
 */
export function createSockets(size: number): Sockets & { share(): SocketShare } {
  let busy = 0;
  let shares = 0;
  let waiters: (() => void)[] = [];

  const sockets: Sockets = {
    free: () => size - busy,
    tryTake: () => {
      if (busy >= size) return false;
      busy += 1;
      return true;
    },
    release: () => {
      busy -= 1;
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

  const share = (): SocketShare => {
    let mine = 0;
    shares += 1;
    const most = (): number => {
      const left = Math.max(1, Math.floor(size / (2 * shares)));
      return Math.max(1, size - (shares - 1) * left);
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

  return { ...sockets, share };
}
