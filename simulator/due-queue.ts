const TICK_MS = 5;

/** Creates a timer wheel: one interval for any number of things that are due later. */
export function createDueQueue() {
  const slots = new Map<number, (() => void)[]>();
  let timer: NodeJS.Timeout | null = null;
  let lastTick = 0;
  let size = 0;

  /** Runs the task at that time (epoch milliseconds) or up to 5 ms later. */
  function at(time: number, task: () => void): void {
    if (timer === null) {
      lastTick = toTick(Date.now()) - 1;
      timer = setInterval(run, TICK_MS);
    }
    const tick = Math.max(Math.ceil(time / TICK_MS), lastTick + 1);
    const slot = slots.get(tick);
    if (slot === undefined) slots.set(tick, [task]);
    else slot.push(task);
    size += 1;
  }

  function run(): void {
    const now = toTick(Date.now());
    // After a long freeze walking over the filled slots is shorter than walking over the ticks.
    const ticks =
      now - lastTick > slots.size
        ? [...slots.keys()].filter((tick) => tick <= now).sort((a, b) => a - b)
        : Array.from({ length: Math.max(0, now - lastTick) }, (_, index) => lastTick + 1 + index);
    lastTick = Math.max(lastTick, now);
    for (const tick of ticks) {
      const tasks = slots.get(tick) ?? [];
      slots.delete(tick);
      size -= tasks.length;
      for (const task of tasks) task();
    }
    if (size === 0) clear();
  }

  function clear(): void {
    if (timer !== null) clearInterval(timer);
    timer = null;
    slots.clear();
    size = 0;
  }

  return { at, clear, size: () => size };
}
export type DueQueue = ReturnType<typeof createDueQueue>;

function toTick(time: number): number {
  return Math.floor(time / TICK_MS);
}
