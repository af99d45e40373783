/** CPU time and memory of processes, from /proc; where there is none (other systems), nothing is known. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** CPU-milliseconds that a process and those it waited for used so far; null where nobody says. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssMb: number;
}

/** Linux counts in hundredths of a second, whatever the clock of its kernel. */
const TICK_MS = 10;

/** Sums up a process and its children, the ended ones too. */
export function readUsage(pid: number): Usage | null {
  const own = readOne(pid);
  if (own === null) return null;
  return childrenOf(pid).reduce((sum, child) => {
    const usage = readOne(child);
    if (usage === null) return sum;
    return { cpuMs: sum.cpuMs + usage.cpuMs, rssMb: sum.rssMb + usage.rssMb };
  }, own);
}

function readOne(pid: number): Usage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; fields are counted behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { cpuMs: ticks * TICK_MS, rssMb: (Number(fields[21]) * 4_096) / 2 ** 20 };
  } catch {
    return null;
  }
}

export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .split(' ')
        .filter((text) => text.trim() !== '')
        .map(Number),
    );
  } catch {
    return [];
  }
}

/** Named groups of processes, measured over a stretch of time. */
export function createMeter(groups: () => Readonly<Record<string, readonly number[]>>) {
  const read = (): Record<string, number> =>
    Object.fromEntries(
      Object.entries(groups()).map(([name, pids]) => [
        name,
        pids.reduce((sum, pid) => sum + (readUsage(pid)?.cpuMs ?? 0), 0),
      ]),
    );
  return {
    /** CPU-milliseconds by group since the start of this stretch. */
    start: (): (() => Record<string, number>) => {
      const before = read();
      return () =>
        Object.fromEntries(
          Object.entries(read()).map(([name, ms]) => [name, ms - (before[name] ?? 0)]),
        );
    },
  };
}
export type Meter = ReturnType<typeof createMeter>;

/** Forgets the most memory that a process had in use, where the system can. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Elsewhere the peak is that since the start.
  }
}

/** The most memory that a process had in use, in MB; null where nobody says. */
export function readPeakMb(pid: number): number | null {
  try {
    const kb = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? null : Number(kb) / 1_024;
  } catch {
    return null;
  }
}
