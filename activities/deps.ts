/**
 * Side effects that Temporal retries. Each activity is idempotent and says by which key. What they
 * need is handed in once, by the worker.
 */
import type { AccountLoader } from '../db/accounts.ts';
import type { Database } from '../db/client.ts';
import type { RetentionRules } from '../domain/retention.ts';
import type { MessagingProvider } from '../providers/messaging-provider.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import type { Recorder } from './recorder.ts';
import type { SenderPace } from './sender-pace.ts';
import type { createSockets } from './sockets.ts';

export interface ActivityLog {
  info(fields: Record<string, unknown>, text: string): void;
  warn(fields: Record<string, unknown>, text: string): void;
  error(fields: Record<string, unknown>, text: string): void;
}

export interface ActivityDeps {
  /** Connects as gw_engine. */
  readonly database: Database;
  readonly accounts: AccountLoader;
  readonly providers: { get(name: string): MessagingProvider };
  readonly sockets: ReturnType<typeof createSockets>;
  readonly pace: SenderPace;
  /** The last beat of the deployment that this process saw. */
  readonly knownBeat: () => Date;
  readonly recorder: Recorder;
  /** Imports a large file in a process of its own, which ends with it, or when the signal says so. */
  readonly importApart: (importId: string, signal: AbortSignal) => Promise<void>;
  /** Where files of archives are kept. */
  readonly storage: ObjectStorage;
  readonly log: ActivityLog;
  /** Told of every POST's outcome, for metrics. */
  readonly onPost: (outcome: string) => void;
  readonly settings: ActivitySettings;
}

/** Of a worker. Shorter ones let a new worker take its part sooner, and cost Temporal more than the texts of a slow pool cost Postgres. */
export const SLICES_MS: ActivitySettings['sliceMs'] = { pool: 36_000, campaign: 30_000 };

/** How much longer (ms) a slice becomes with each other of its kind in the process, and the longest it may become. */
const SLICE_EACH_MS = 400;
const LONGEST_SLICE_MS = 120_000;

/** The end of one slice and the beginning of the next cost Temporal some twenty milliseconds: a process that runs many runs longer ones. */
export function stretchSlice(ms: number, running: number): number {
  return Math.max(ms, Math.min(running * SLICE_EACH_MS, LONGEST_SLICE_MS));
}

export interface ActivitySettings {
  /** Origin for delivery-report callbacks. */
  readonly publicUrl: string;
  readonly sendDeadlineMs: number;
  readonly startsPerSecond: number;
  readonly reconcileLagMs: number;
  readonly reconcileBackoffMs: number;
  /** How long one activity runs a pool, or a campaign, before its workflow begins the next, while there are few. */
  readonly sliceMs: { readonly pool: number; readonly campaign: number };
  readonly retention: RetentionRules;
}
