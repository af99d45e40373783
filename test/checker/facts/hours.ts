/** Texting hours on wall clocks, by js-joda and its own copy of the tz database. */
import { Instant, LocalDateTime, ZoneId, type LocalDate, type ZonedDateTime } from '@js-joda/core';
// oxlint-disable-next-line import/no-unassigned-import -- registers the zones with the library above
import '@js-joda/timezone';
import type { CampaignFact, Hours, Whereabouts } from './facts.ts';

const zones = new Map<string, ZoneId>();

/** 47 CFR 64.1200(c)(1): not before 8 in the morning nor after 9 in the evening. What states add is not judged. */
const FEDERAL: Hours = {
  startMinute: 480,
  endMinute: 1_260,
  days: [1, 2, 3, 4, 5, 6, 7],
  blackout: [],
};

/** Whether a campaign may text at an instant somebody who may be in any of these zones. */
export function mayText(
  atMs: number,
  campaign: Pick<CampaignFact, 'hours' | 'boundByLaw' | 'startsAtLocal'>,
  { zones: names, isAmerican }: Whereabouts,
): boolean {
  const law = campaign.boundByLaw && isAmerican ? [FEDERAL] : [];
  return names.every((name) => {
    const local = Instant.ofEpochMilli(atMs).atZone(zoneOf(name));
    const { startsAtLocal } = campaign;
    const hasBegun =
      startsAtLocal === null ||
      !local.toLocalDateTime().isBefore(LocalDateTime.parse(startsAtLocal));
    return hasBegun && [...campaign.hours, ...law].every((hours) => isOpen(local, hours));
  });
}

function isOpen(local: ZonedDateTime, hours: Hours): boolean {
  const { startMinute, endMinute } = hours;
  const minute = local.toLocalTime().toNanoOfDay() / 60e9;
  const today = local.toLocalDate();
  // The closing instant itself is still inside; a day that ends at midnight is over with its date.
  if (endMinute > startMinute) {
    return begins(today, hours) && minute >= startMinute && minute <= endMinute;
  }
  // Over midnight: the evening of today's hours, or the morning of yesterday's.
  const isEvening = begins(today, hours) && minute >= startMinute;
  return isEvening || (begins(today.minusDays(1), hours) && minute <= endMinute);
}

function begins(date: LocalDate, { days, blackout }: Hours): boolean {
  return days.includes(date.dayOfWeek().value()) && !blackout.includes(date.toString());
}

function zoneOf(name: string): ZoneId {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const zone = ZoneId.of(name);
  zones.set(name, zone);
  return zone;
}
