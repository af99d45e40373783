/** One promise, judged. */
export interface Verdict {
  readonly id: string;
  readonly title: string;
  readonly ok: boolean;
  readonly violations: number;
  /** Up to ten, ids only. */
  readonly examples: readonly string[];
  /** Counts that are reported and not judged. */
  readonly figures: Readonly<Record<string, number>>;
}

const MAX_EXAMPLES = 10;

/** Collects what a judge finds. */
export function createFindings(id: string, title: string) {
  let violations = 0;
  const examples: string[] = [];
  const figures: Record<string, number> = {};

  return {
    /** Something that must not be; `times` for one example of many. */
    violation(example: string, times = 1): void {
      violations += times;
      if (examples.length < MAX_EXAMPLES) examples.push(example);
    },
    count(figure: string, n = 1): void {
      figures[figure] = (figures[figure] ?? 0) + n;
    },
    /** Keeps the largest value seen. */
    peak(figure: string, value: number): void {
      figures[figure] = Math.max(figures[figure] ?? 0, value);
    },
    verdict: (): Verdict => ({ id, title, ok: violations === 0, violations, examples, figures }),
  };
}

/** A phone number as it may stand in a report. */
export function mask(phoneNumber: string): string {
  return `…${phoneNumber.slice(-4)}`;
}

/** The verdicts as a table for people. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const lines = verdicts.flatMap((verdict) => [
    [
      verdict.id.padEnd(9),
      (verdict.ok ? 'green' : 'RED').padEnd(6),
      String(verdict.violations).padStart(7),
      ` ${verdict.title}`,
    ].join(' '),
    ...formatFigures(verdict.figures),
    ...verdict.examples.map((example) => `${' '.repeat(10)}! ${example}`),
  ]);
  return [`id        verdict  broken  promise`, ...lines, ''].join('\n');
}

function formatFigures(figures: Verdict['figures']): string[] {
  const shown = Object.entries(figures).map(([name, n]) => `${name} ${n}`);
  return shown.length === 0 ? [] : [`${' '.repeat(10)}${shown.join(', ')}`];
}
