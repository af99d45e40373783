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
const MAX_WAIT_MS = 8 * DAY_MS;
const MAX_OPEN_MS = 2 * DAY_MS;

/**
 * Finds the window that is open now, or else the next one to open within 8 days, in which it is legal in every zone at once.
 *
 * Null means that there is none, or that no zone is known. A window of more than 48 hours is cut 48 hours
 * after its opening or after now, whichever is later.
 */
export function openWindow({
  zones,
  hours,
  nowMs,
}: {
  zones: readonly string[];
  hours: TextingHours;
  nowMs: number;
}): OpenWindow | null {
  const [first, ...others] = [...new Set(zones)].map((zone) => zoneWindows({ zone, hours, nowMs }));
  if (first === undefined) return null;
  const common = others.reduce(intersect, first);
  const window = common.find(({ closesAtMs }) => closesAtMs > nowMs);
  if (window === undefined || window.opensAtMs > nowMs + MAX_WAIT_MS) return null;
  const latestCloseMs = Math.max(window.opensAtMs, nowMs) + MAX_OPEN_MS;
  return { ...window, closesAtMs: Math.min(window.closesAtMs, latestCloseMs) };
}

function zoneWindows({
  zone,
  hours,
  nowMs,
}: {
  zone: string;
  hours: TextingHours;
  nowMs: number;
}): OpenWindow[] {
  const { startMinute, endMinute, days, blackoutDates } = hours;
  const endsNextDay = endMinute <= startMinute;
  const blackout = new Set(blackoutDates);
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs)
    .toZonedDateTimeISO(zone)
    .toPlainDate();
  const windows: OpenWindow[] = [];
  // Two days back, because a window may last until the next day; ten ahead, to know where the last one closes.
  for (let offset = -2; offset <= 10; offset += 1) {
    const date = today.add({ days: offset });
    if (!days.includes(date.dayOfWeek) || blackout.has(date.toString())) continue;
    const start = { zone, date, minute: startMinute };
    const end = { zone, date: endsNextDay ? date.add({ days: 1 }) : date, minute: endMinute };
    const closesAtMs = firstOccurrence(end);
    const lateMs = safeStart(start);
    const opensAtMs = lateMs < closesAtMs ? lateMs : firstOccurrence(start);
    if (opensAtMs < closesAtMs) windows.push({ opensAtMs, closesAtMs });
  }
  return merge(windows);
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

function merge(windows: readonly OpenWindow[]): OpenWindow[] {
  const merged: OpenWindow[] = [];
  for (const window of windows.toSorted((a, b) => a.opensAtMs - b.opensAtMs)) {
    const last = merged.at(-1);
    if (last === undefined || window.opensAtMs > last.closesAtMs) {
      merged.push(window);
      continue;
    }
    const closesAtMs = Math.max(last.closesAtMs, window.closesAtMs);
    merged[merged.length - 1] = { opensAtMs: last.opensAtMs, closesAtMs };
  }
  return merged;
}

function intersect(left: readonly OpenWindow[], right: readonly OpenWindow[]): OpenWindow[] {
  const common = left.flatMap((a) =>
    right.map((b) => ({
      opensAtMs: Math.max(a.opensAtMs, b.opensAtMs),
      closesAtMs: Math.min(a.closesAtMs, b.closesAtMs),
    })),
  );
  return common.filter(({ opensAtMs, closesAtMs }) => opensAtMs < closesAtMs);
}
