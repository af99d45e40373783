/** Texting hours on wall clocks, by js-joda and its own copy of the tz database. */
import { Instant, ZoneId, type LocalDate, type ZonedDateTime } from '@js-joda/core';
// oxlint-disable-next-line import/no-unassigned-import -- registers the zones with the library above
import '@js-joda/timezone';
import type { CampaignFact } from './facts.ts';

const zones = new Map<string, ZoneId>();

/** Whether an instant lies inside the hours in every one of the zones. */
export function isWithinHours(
  atMs: number,
  hours: CampaignFact['hours'],
  zoneNames: readonly string[],
): boolean {
  return zoneNames.every((name) => isOpen(Instant.ofEpochMilli(atMs).atZone(zoneOf(name)), hours));
}

function isOpen(local: ZonedDateTime, hours: CampaignFact['hours']): boolean {
  const { startMinute, endMinute } = hours;
  const minute = local.toLocalTime().toNanoOfDay() / 60e9;
  const today = local.toLocalDate();
  // The closing instant itself is still inside.
  if (endMinute > startMinute) {
    return begins(today, hours) && minute >= startMinute && minute <= endMinute;
  }
  // Over midnight: the evening of today's hours, or the morning of yesterday's.
  const isEvening = begins(today, hours) && minute >= startMinute;
  return isEvening || (begins(today.minusDays(1), hours) && minute <= endMinute);
}

function begins(date: LocalDate, { days, blackout }: CampaignFact['hours']): boolean {
  return days.includes(date.dayOfWeek().value()) && !blackout.includes(date.toString());
}

function zoneOf(name: string): ZoneId {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const zone = ZoneId.of(name);
  zones.set(name, zone);
  return zone;
}
