import { Temporal } from 'temporal-polyfill';
import { AREA_CODE_STATES } from './data/area-code-states.ts';
import { HOURS_RULES, type HoursRuleRow } from './data/hours-rules.ts';
import { ZIP_PREFIX_STATES } from './data/postcode-states.ts';
import { usHolidays } from './holidays.ts';
import { namesByKey, zipPrefix } from './ranges.ts';
import type { HoursRule } from './texting-hours.ts';

/** Which laws an org's texts are bound by: every place's, the federal ones alone, or none (its texts sell nothing). */
export const HOURS_LAWS = ['all', 'federal', 'none'] as const;
export type HoursLaws = (typeof HOURS_LAWS)[number];

/** Stands for a person in the United States of whom no state is known: every state's rule must hold. */
export const ANY_STATE = 'US-*';

/**
 * Finds every place whose laws may bind texts to a person: `US-` and a state, or a country's ISO 3166 code. By
 * postcode, else by area code, where the union counts. What the same table row decides is the same array.
 */
export function placesForPhone({
  e164,
  country,
  postcode,
}: {
  e164: string;
  country: string;
  postcode?: string | null | undefined;
}): readonly string[] {
  const code = country.toUpperCase();
  if (!US_COUNTRIES.has(code)) return abroad(code);
  const zip = zipPrefix(postcode ?? '');
  return (
    (zip === undefined ? undefined : STATES_BY_ZIP.get(zip)) ??
    STATES_BY_AREA_CODE.get(e164.slice(2, 5)) ??
    SOMEWHERE_IN_US
  );
}

/** The United States and its territories, whose numbers have country codes of their own. */
const US_COUNTRIES = new Set(['US', 'PR', 'VI', 'GU', 'AS', 'MP']);
const STATES_BY_ZIP = statesByKey(ZIP_PREFIX_STATES);
const STATES_BY_AREA_CODE = statesByKey(AREA_CODE_STATES);
const SOMEWHERE_IN_US: readonly string[] = [ANY_STATE];
const countriesAbroad = new Map<string, readonly string[]>();

function statesByKey(
  table: Readonly<Record<string, string>>,
): ReadonlyMap<string, readonly string[]> {
  const places = Object.entries(table).map(([state, keys]) => [`US-${state}`, keys] as const);
  return namesByKey(Object.fromEntries(places));
}

function abroad(code: string): readonly string[] {
  const places = countriesAbroad.get(code) ?? [code];
  countriesAbroad.set(code, places);
  return places;
}

/**
 * Finds the hours that the laws of these places allow on a local date (YYYY-MM-DD) and in the ten days after it: a law
 * that begins within them counts already. All must hold at once.
 */
export function hoursRulesOf(
  places: readonly string[],
  { laws, date }: { laws: HoursLaws; date: string },
): HoursRule[] {
  if (laws === 'none') return [];
  const horizon = Temporal.PlainDate.from(date).add({ days: AHEAD_DAYS }).toString();
  const bound = HOURS_RULES.filter(
    (rule) =>
      rule.from <= horizon &&
      (rule.until === null || rule.until >= date) &&
      (rule.place === 'US' || laws === 'all') &&
      places.some((place) => isBoundBy(place, rule)),
  );
  return bound.map((rule) => toHours(rule, Number(date.slice(0, 4))));
}

const AHEAD_DAYS = 10;

function isBoundBy(place: string, rule: HoursRuleRow): boolean {
  if (rule.place === 'US') return place.startsWith('US-');
  return place === ANY_STATE || place === rule.place;
}

function toHours(rule: HoursRuleRow, year: number): HoursRule {
  const blackoutDates = rule.noHolidays ? [...usHolidays(year), ...usHolidays(year + 1)] : [];
  return Object.entries(rule.hours).map(([days, hours]) => {
    const [startMinute = 0, endMinute = 0] = hours.split('-').map(toMinute);
    return { startMinute, endMinute, days: days.split('').map(Number), blackoutDates };
  });
}

function toMinute(clock: string): number {
  const [hour = 0, minute = 0] = clock.split(':').map(Number);
  return hour * 60 + minute;
}
