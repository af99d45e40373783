import type { Finding } from './verdict.ts';

export interface ChaosResult {
  readonly seed: number;
  readonly minutes: number;
  readonly blows: Readonly<Record<string, number>>;
  readonly texts: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

/** Prints one table: what was done, what became of the texts, and which bounds hold. */
export function printTable({ seed, minutes, blows, texts, findings }: ChaosResult): void {
  const rows: [string, string, string][] = [
    [`chaos, seed ${seed}, ${minutes} min`, 'count', 'bound'],
    ...Object.entries(blows).map(([kind, n]): [string, string, string] => [kind, String(n), '']),
    ['', '', ''],
    ...Object.entries(texts).map(([state, n]): [string, string, string] => [
      `texts ${state}`,
      String(n),
      '',
    ]),
    ['', '', ''],
    ...findings.map(({ what, value, bound, holds }): [string, string, string] => [
      what,
      String(value),
      `${bound}${holds ? '' : '  BROKEN'}`,
    ]),
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const [what, value, bound] of rows)
    process.stdout.write(
      `${what.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)}  ${bound}`.trimEnd() +
        '\n',
    );
}
