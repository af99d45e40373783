import { Temporal } from 'temporal-polyfill';

/** The days of 5 U.S.C. 6103: on a date, or on the nth weekday of a month (-1: the last; ISO, 1 is Monday). */
const FIXED: readonly (readonly [month: number, day: number])[] = [
  [1, 1],
  [6, 19],
  [7, 4],
  [11, 11],
  [12, 25],
];
const FLOATING: readonly (readonly [month: number, nth: number, weekday: number])[] = [
  [1, 3, 1],
  [2, 3, 1],
  [5, -1, 1],
  [9, 1, 1],
  [10, 2, 1],
  [11, 4, 4],
];

/**
 * Lists the public holidays of the federal government of the United States in a year, as local dates (YYYY-MM-DD);
 * one that falls on a weekend with the day on which it is observed.
 */
export function usHolidays(year: number): string[] {
  const fixed = FIXED.flatMap(([month, day]) => {
    const date = Temporal.PlainDate.from({ year, month, day });
    if (date.dayOfWeek === 6) return [date, date.subtract({ days: 1 })];
    return date.dayOfWeek === 7 ? [date, date.add({ days: 1 })] : [date];
  });
  const floating = FLOATING.map(([month, nth, weekday]) =>
    nthWeekday({ year, month }, nth, weekday),
  );
  return [...fixed, ...floating].map(String).toSorted();
}

function nthWeekday(
  month: { readonly year: number; readonly month: number },
  nth: number,
  weekday: number,
): Temporal.PlainDate {
  const first = Temporal.PlainDate.from({ ...month, day: 1 });
  if (nth > 0) {
    const offset = (weekday - first.dayOfWeek + 7) % 7;
    return first.add({ days: offset + (nth - 1) * 7 });
  }
  const last = first.add({ months: 1 }).subtract({ days: 1 });
  return last.subtract({ days: (last.dayOfWeek - weekday + 7) % 7 });
}
