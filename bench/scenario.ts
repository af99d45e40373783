import type { Reporter } from './figure.ts';

/** What the command line says; null leaves the scenario's own default. */
export interface BenchOptions {
  /** Of the measured part. */
  readonly seconds: number | null;
  /** Rows, texts or people: whatever the scenario counts. */
  readonly size: number | null;
  /** Texts a second, where a scenario is paced. */
  readonly rate: number | null;
  readonly workers: number;
  /** Processes for webhooks. */
  readonly ingests: number;
  /** Prints Postgres' dearest statements and keeps CPU profiles. */
  readonly profile: boolean;
  readonly temporal: 'dev' | 'postgres';
}

export interface Scenario {
  readonly about: string;
  readonly run: (reporter: Reporter, options: BenchOptions) => Promise<void>;
}
