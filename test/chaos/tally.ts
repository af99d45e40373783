/** Counts what was done to the engine, by kind. */
export function createTally() {
  const counts = new Map<string, number>();
  return {
    add: (kind: string, n = 1): void => void counts.set(kind, (counts.get(kind) ?? 0) + n),
    get: (kind: string): number => counts.get(kind) ?? 0,
    sum: (isCounted: (kind: string) => boolean): number =>
      [...counts].reduce((sum, [kind, n]) => sum + (isCounted(kind) ? n : 0), 0),
    all: (): Record<string, number> =>
      Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}
export type Tally = ReturnType<typeof createTally>;
