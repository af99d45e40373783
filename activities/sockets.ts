/**
 * Counts the sockets of this process that may carry a POST. The send loop never claims more rows
 * than there are free ones, so a claimed row never queues behind another.
 */
export function createSockets(size: number) {
  let busy = 0;
  let waiters: (() => void)[] = [];
  return {
    free: () => size - busy,
    /** Takes one socket; false when none is free. */
    tryTake: (): boolean => {
      if (busy >= size) return false;
      busy += 1;
      return true;
    },
    release: (): void => {
      busy -= 1;
      const ready = waiters;
      waiters = [];
      for (const wake of ready) wake();
    },
    /** Resolves when a socket may be free, or after `timeoutMs`. */
    whenFree: (timeoutMs: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

export type Sockets = ReturnType<typeof createSockets>;
