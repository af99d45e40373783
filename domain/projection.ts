import type { OpenWindow } from './texting-hours.ts';

/** People of one zone set who are still to be texted. */
export interface ZoneSetWork {
  readonly left: number;
  /** Finds the hours that are open at an instant, or else the next ones (ms since 1970); null when there are none. */
  readonly windowAt: (nowMs: number) => OpenWindow | null;
}

/** A projection ends after so many openings and closings: nobody plans further ahead. */
const MAX_STEPS = 2_000;

/**
 * Projects when the last of these texts leaves, in milliseconds since 1970: at this rate, within each zone
 * set's hours, those that close first before the others. Null when that is never, or too far off to say.
 */
export function projectFinishMs(
  work: readonly ZoneSetWork[],
  { textsPerSecond, nowMs }: { readonly textsPerSecond: number; readonly nowMs: number },
): number | null {
  let sets = work.filter((set) => set.left > 0).map((set) => ({ ...set }));
  if (sets.length === 0) return nowMs;
  if (!(textsPerSecond > 0)) return null;
  let at = nowMs;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const known = sets.map((set) => ({ set, window: set.windowAt(at) }));
    const open = known
      .flatMap(({ set, window }) =>
        window !== null && window.opensAtMs <= at ? [{ set, closesAtMs: window.closesAtMs }] : [],
      )
      .toSorted((a, b) => a.closesAtMs - b.closesAtMs);
    const openings = known.flatMap(({ window }) =>
      window !== null && window.opensAtMs > at ? [window.opensAtMs] : [],
    );
    const next = Math.min(...openings, ...open.map(({ closesAtMs }) => closesAtMs));
    if (!Number.isFinite(next)) return null;
    let capacity = open.length === 0 ? 0 : ((next - at) / 1_000) * textsPerSecond;
    const before = capacity;
    for (const { set } of open) {
      const sent = Math.min(set.left, capacity);
      set.left -= sent;
      capacity -= sent;
    }
    sets = sets.filter((set) => set.left > 1e-6);
    if (sets.length === 0) return at + Math.ceil(((before - capacity) / textsPerSecond) * 1_000);
    at = next;
  }
  return null;
}

/** Sums how long texts may leave between two instants (ms since 1970), in seconds. */
export function openSeconds(
  windowAt: ZoneSetWork['windowAt'],
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): number {
  let total = 0;
  let at = fromMs;
  for (let step = 0; step < MAX_STEPS && at < untilMs; step += 1) {
    const window = windowAt(at);
    if (window === null || window.opensAtMs >= untilMs) break;
    const opens = Math.max(at, window.opensAtMs);
    total += (Math.min(window.closesAtMs, untilMs) - opens) / 1_000;
    at = window.closesAtMs;
  }
  return total;
}

/**
 * The rate (texts a second) at which these texts are spread over the hours until `finishByMs`, each zone set
 * over its own; a little ahead of it, so that what is skipped or tried again still fits. Infinite where no
 * hours are left until then: as fast as possible is then the best that can be done.
 */
export function rateToFinishBy(
  work: readonly ZoneSetWork[],
  { nowMs, finishByMs }: { readonly nowMs: number; readonly finishByMs: number },
): number {
  return work
    .filter((set) => set.left > 0 && (set.windowAt(nowMs)?.opensAtMs ?? Infinity) <= nowMs)
    .reduce((rate, set) => {
      const seconds = openSeconds(set.windowAt, { fromMs: nowMs, untilMs: finishByMs });
      return rate + (seconds > 0 ? (set.left / seconds) * AHEAD : Number.POSITIVE_INFINITY);
    }, 0);
}

const AHEAD = 1.02;
