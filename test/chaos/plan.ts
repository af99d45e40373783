/** What a run does to the engine and when: made of the seed alone, so that a run can be told again. */
import type { FaultAction, FaultPoint } from '../../faults/points.ts';
import { createRandom, type Random } from './random.ts';

/** One blow, so many milliseconds after the start. */
export interface Blow {
  readonly atMs: number;
  readonly kind: BlowKind;
  /** Chooses among parts, campaigns or people, whose number the plan does not know; from 0 to 1. */
  readonly target: number;
  /** For a simulator's fault: what and how often. */
  readonly fault: string | null;
  readonly times: number;
  /** How long it lasts. */
  readonly ms: number;
}

export type BlowKind =
  | 'kill-worker'
  | 'kill-ingest'
  | 'kill-api'
  | 'kill-postgres'
  | 'kill-temporal'
  | 'freeze-worker'
  | 'freeze-ingest'
  | 'provider-fault'
  | 'list-lag'
  | 'pause'
  | 'stop-by-text'
  | 'stop-by-list'
  | 'stop-by-api';

const WEIGHTS = {
  'kill-worker': 9,
  'kill-ingest': 5,
  'kill-api': 2,
  'freeze-worker': 4,
  'freeze-ingest': 2,
  'provider-fault': 42,
  'list-lag': 2,
  pause: 4,
  'stop-by-text': 8,
  'stop-by-list': 2,
  'stop-by-api': 2,
} as const;

/** How likely each fault is, and how often it may strike: a text that never reached the provider is rare. */
const PROVIDER_FAULTS: Readonly<Record<string, readonly [weight: number, most: number]>> = {
  throttle: [5, 6],
  'http-500-before': [2, 2],
  'http-500-after': [4, 4],
  'http-503-html': [2, 1],
  'reset-before': [2, 2],
  'reset-after': [4, 4],
  'hang-before': [2, 1],
  hang: [3, 3],
  drip: [3, 3],
  'wrong-json': [4, 4],
  'no-sid': [3, 3],
  'drop-callbacks': [3, 40],
  'duplicate-callbacks': [3, 80],
  'delay-callbacks': [3, 60],
  'shuffle-callbacks': [3, 80],
  'drop-inbound': [3, 4],
  'duplicate-inbound': [2, 10],
  'delay-inbound': [2, 10],
};

const BLOWS_A_SECOND = 1.15;
const LONG_FREEZE_MS = 14_000;
/** Long enough for the rule that claims wait until the gap is filled. */
const LONG_AWAY_MS = 12_000;

export function planBlows(seed: number, durationMs: number): Blow[] {
  const random = createRandom(seed, 'blows');
  const count = Math.round((durationMs / 1_000) * BLOWS_A_SECOND);
  const blows = Array.from({ length: count }, (): Blow => {
    const kind = random.weighted(WEIGHTS);
    return { ...aBlow(random, kind), atMs: random.draw() * durationMs };
  });
  return [...blows, ...serverKills(random, durationMs)].toSorted((a, b) => a.atMs - b.atMs);
}

function aBlow(random: Random, kind: BlowKind): Blow {
  const fault =
    kind === 'provider-fault'
      ? random.weighted(
          Object.fromEntries(
            Object.entries(PROVIDER_FAULTS).map(([name, [weight]]) => [name, weight]),
          ),
        )
      : null;
  const most = fault === null ? 1 : (PROVIDER_FAULTS[fault]?.[1] ?? 1);
  return {
    atMs: 0,
    kind,
    target: random.draw(),
    fault,
    times: random.between(1, most),
    ms: duration(random, kind),
  };
}

function duration(random: Random, kind: BlowKind): number {
  if (kind === 'freeze-worker' && random.draw() < 0.15) return LONG_FREEZE_MS;
  if (kind === 'list-lag') return random.between(0, 3_000);
  return random.between(800, 4_000);
}

/** The servers die a few times at set times; Postgres once for long enough to miss a stop. */
function serverKills(random: Random, durationMs: number): Blow[] {
  const at = (share: number, kind: BlowKind, ms: number): Blow => ({
    ...aBlow(random, kind),
    atMs: share * durationMs,
    ms,
  });
  const kills = [at(0.25, 'kill-postgres', 500), at(0.4, 'kill-temporal', 2_000)];
  if (durationMs >= 120_000)
    kills.push(at(0.6, 'kill-postgres', LONG_AWAY_MS), at(0.8, 'kill-temporal', 5_000));
  return kills;
}

/** Which points each kind of process passes, and how many passages may go well first. */
const POINTS: Readonly<Record<string, readonly [FaultPoint, number][]>> = {
  worker: [
    ['send.claiming', 200],
    ['send.claimed', 400],
    ['send.posted', 400],
    ['send.accepted', 400],
    ['send.recorded', 150],
    ['plan.storing', 20],
    ['plan.stored', 20],
    ['turn.storing', 20],
    ['turn.stored', 20],
    ['relay.rung', 20],
    ['gap.stored', 8],
  ],
  ingest: [
    ['ingest.reading', 400],
    ['ingest.storing', 20],
    ['ingest.stored', 20],
    ['report.storing', 150],
    ['report.stored', 150],
  ],
  api: [],
};

const ARMED_SHARE = 0.5;
const ACTIONS: Readonly<Record<FaultAction, number>> = { kill: 5, fail: 4, stop: 1 };

/** What a process is armed with at its start; nothing, half of the time. */
export function drawFaultPoints(random: Random, command: string): string {
  const points = POINTS[command] ?? [];
  if (points.length === 0 || random.draw() > ARMED_SHARE) return '';
  const [point, most] = random.pick(points);
  return `${point}:${random.weighted(ACTIONS)}@${random.between(1, most)}`;
}
