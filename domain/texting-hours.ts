import { Temporal } from 'temporal-polyfill';

export { CONTINENTAL_US_ZONES, zonesForPhone } from './zones.ts';

/** Holds when texts may go out, by the clock on the wall of the person who gets them. */
export interface TextingHours {
  /** Minutes after midnight, 0 to 1439. */
  readonly startMinute: number;
  /** Minutes after midnight, up to 1440; at or before the start it is a minute of the next day. */
  readonly endMinute: number;
  /** ISO weekdays on which a window may start, 1 (Monday) to 7. */
  readonly days: readonly number[];
  /** Local dates (YYYY-MM-DD) on which no window starts. */
  readonly blackoutDates: readonly string[];
}

/** Holds a span of time, in milliseconds since 1970; it is closed at `closesAtMs` itself. */
export interface OpenWindow {
  readonly opensAtMs: number;
  readonly closesAtMs: number;
}

const DAY_MS = 86_400_000;
const DAY_MINUTES = 1_440;
const MAX_WAIT_MS = 8 * DAY_MS;
const MAX_OPEN_MS = 2 * DAY_MS;

/** Holds one rule about when texts may go out: within any of these hours. */
export type HoursRule = readonly TextingHours[];

/**
 * Finds the window that is open now, or else the next one to open within 8 days, in which it is legal in every zone
 * at once, by `hours` and by every one of `rules`.
 *
 * Null means that there is none, or that no zone is known. A window of more than 48 hours is cut 48 hours
 * after its opening or after now, whichever is later.
 */
export function openWindow({
  zones,
  hours,
  rules = [],
  nowMs,
}: {
  zones: readonly string[];
  hours: TextingHours;
  rules?: readonly HoursRule[];
  nowMs: number;
}): OpenWindow | null {
  const all = [[hours], ...rules];
  const [first, ...others] = [...new Set(zones)].map((zone) => zoneSpans(zone, all, nowMs));
  if (first === undefined) return null;
  const common = others.reduce(intersect, first);
  const window = common.find(({ to }) => to > nowMs);
  if (window === undefined || window.from > nowMs + MAX_WAIT_MS) return null;
  const latestCloseMs = Math.max(window.from, nowMs) + MAX_OPEN_MS;
  return { opensAtMs: window.from, closesAtMs: Math.min(window.to, latestCloseMs) };
}

/** From a point up to, and without, another. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** The open spans of one zone in milliseconds since 1970, from two days ago to ten ahead. */
function zoneSpans(zone: string, rules: readonly HoursRule[], nowMs: number): Span[] {
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs)
    .toZonedDateTimeISO(zone)
    .toPlainDate();
  const spans = wallSpans(rules, today).flatMap(({ from, to }) => {
    const start = { zone, date: today, minute: from };
    const closesAtMs = firstOccurrence({ zone, date: today, minute: to });
    const lateMs = safeStart(start);
    const opensAtMs = lateMs < closesAtMs ? lateMs : firstOccurrence(start);
    return opensAtMs < closesAtMs ? [{ from: opensAtMs, to: closesAtMs }] : [];
  });
  return merge(spans);
}

/**
 * When the clock on the wall allows texts by all rules at once, in minutes after today's midnight. Rules speak of
 * the clock on the wall, so they are combined before its minutes become instants.
 */
function wallSpans(rules: readonly HoursRule[], today: Temporal.PlainDate): Span[] {
  // Two days back, because a window may last until the next day; ten ahead, to know where the last one closes.
  const dates = Array.from({ length: 13 }, (_, index) => {
    const date = today.add({ days: index - 2 });
    return { text: date.toString(), weekday: date.dayOfWeek, minute: (index - 2) * DAY_MINUTES };
  });
  const spans = rules.map((rule) =>
    merge(
      rule.flatMap(({ startMinute, endMinute, days, blackoutDates }) => {
        const lastMinute = endMinute <= startMinute ? endMinute + DAY_MINUTES : endMinute;
        return dates
          .filter(({ text, weekday }) => days.includes(weekday) && !blackoutDates.includes(text))
          .map(({ minute }) => ({ from: minute + startMinute, to: minute + lastMinute }));
      }),
    ),
  );
  return spans.reduce(intersect);
}

interface WallTime {
  readonly zone: string;
  readonly date: Temporal.PlainDate;
  readonly minute: number;
}

// A wall time that is skipped in spring is reached at the change itself.
function firstOccurrence(wall: WallTime): number {
  const local = localTime(wall);
  const earlier = local.toZonedDateTime(wall.zone, { disambiguation: 'earlier' });
  if (earlier.toPlainDateTime().equals(local)) return earlier.epochMilliseconds;
  const change = earlier.getTimeZoneTransition('next');
  return (change ?? earlier).epochMilliseconds;
}

// A wall time that comes twice in autumn opens at its second coming, because between the two the clock
// falls back before it; unless the clock falls back to exactly this minute.
function safeStart(wall: WallTime): number {
  const local = localTime(wall);
  const later = local.toZonedDateTime(wall.zone, { disambiguation: 'later' });
  if (!later.toPlainDateTime().equals(local)) return firstOccurrence(wall);
  const justBefore = later.subtract({ nanoseconds: 1 });
  const isTheChange = justBefore.offsetNanoseconds !== later.offsetNanoseconds;
  return isTheChange ? firstOccurrence(wall) : later.epochMilliseconds;
}

function localTime({ date, minute }: WallTime): Temporal.PlainDateTime {
  return date.toPlainDateTime().add({ minutes: minute });
}

function merge(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || span.from > last.to) merged.push(span);
    else merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
  }
  return merged;
}

function intersect(left: readonly Span[], right: readonly Span[]): Span[] {
  const common = left.flatMap((a) =>
    right.map((b) => ({ from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) })),
  );
  return common.filter(({ from, to }) => from < to);
}
