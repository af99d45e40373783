import { cpus, totalmem } from 'node:os';

/** One measured number, as a line of JSON and as a row of the table. */
export interface Figure {
  /** Scenario and what of it, such as `send` or `send.cpu`. */
  readonly name: string;
  readonly value: number;
  /** `texts/s`, `ms`, `CPU-ms/text`, `MB`, … */
  readonly unit: string;
  /** Part of the raw limit that was measured in the same run; more than 1 is better than it. */
  readonly ratio?: number;
  /** What the ratio compares with, its rate, and everything else that belongs to the number. */
  readonly with?: Readonly<Record<string, unknown>>;
}

export interface Reporter {
  readonly add: (figure: Figure) => void;
  readonly say: (line: string) => void;
  readonly figures: () => readonly Figure[];
}

/** Prints figures as JSON lines as they come; words for people go to stderr. */
export function createReporter(): Reporter {
  const figures: Figure[] = [];
  const startedAt = Date.now();
  return {
    add: (figure) => {
      figures.push(figure);
      process.stdout.write(`${JSON.stringify(rounded(figure))}\n`);
    },
    say: (line) => {
      const seconds = ((Date.now() - startedAt) / 1_000).toFixed(0).padStart(4);
      process.stderr.write(`${seconds} s  ${line}\n`);
    },
    figures: () => figures,
  };
}

/** The figures as a table in Markdown. */
export function toTable(figures: readonly Figure[]): string {
  const rows = figures.map(
    ({ name, value, unit, ratio }) =>
      `| ${name} | ${format(value)} | ${unit} | ${ratio === undefined ? '' : format(ratio)} |`,
  );
  return ['| figure | value | unit | of the raw limit |', '|---|---|---|---|', ...rows].join('\n');
}

/** What the numbers were measured on. */
export function describeMachine() {
  const [cpu] = cpus();
  return {
    cores: cpus().length,
    cpu: cpu?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
  };
}

/** The value below which that share of all lies; of nothing, 0. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

function rounded(figure: Figure): Figure {
  const { ratio, value } = figure;
  return {
    ...figure,
    value: significant(value),
    ...(ratio === undefined ? {} : { ratio: significant(ratio) }),
  };
}

function significant(value: number): number {
  return Number(value.toPrecision(4));
}

function format(value: number): string {
  return Math.abs(value) >= 1_000
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(3)));
}
