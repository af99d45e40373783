import { Temporal } from 'temporal-polyfill';
import { hoursRulesOf, type HoursLaws } from './jurisdictions.ts';
import { openWindow, type HoursRule, type OpenWindow, type TextingHours } from './texting-hours.ts';

/** Holds what an org decides for all of its campaigns. */
export interface OrgHours {
  readonly laws: HoursLaws;
  /** Its own hours, in which every campaign's must lie; null: none. */
  readonly startMinute: number | null;
  readonly endMinute: number | null;
  readonly days: readonly number[] | null;
  /** Local dates on which it texts nobody. */
  readonly blackout: readonly string[];
  /** Raised with every change. */
  readonly version: number;
}

/** Holds everything that bounds when a campaign's first texts may go out. */
export interface CampaignHours {
  readonly campaign: TextingHours;
  readonly org: OrgHours;
  /** Nobody is texted before this time by the clock where they are (YYYY-MM-DDTHH:MM, no zone); null: no bound. */
  readonly startsAtLocal: string | null;
}

/** Where a person may be. */
export interface Whereabouts {
  readonly zones: readonly string[];
  /** Places whose laws may count. */
  readonly places: readonly string[];
}

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];

/**
 * Finds when people of these whereabouts may be texted: within the campaign's hours, the org's and those of every law
 * that may count, in every zone at once. As `openWindow`: the window that is open, or the next within 8 days, or null.
 */
export function campaignWindow(
  { zones, places }: Whereabouts,
  hours: CampaignHours,
  nowMs: number,
): OpenWindow | null {
  const startMs = latestInstant(hours.startsAtLocal, zones);
  const fromMs = Math.max(nowMs, startMs);
  const date = Temporal.Instant.fromEpochMilliseconds(fromMs)
    .toZonedDateTimeISO('UTC')
    .toPlainDate();
  const { org } = hours;
  const own: HoursRule = [
    {
      startMinute: org.startMinute ?? 0,
      endMinute: org.endMinute ?? 1_440,
      days: org.days ?? EVERY_DAY,
      blackoutDates: org.blackout,
    },
  ];
  const laws = hoursRulesOf(places, { laws: org.laws, date: date.toString() });
  const window = openWindow({ zones, hours: hours.campaign, rules: [own, ...laws], nowMs: fromMs });
  if (window === null) return null;
  return { ...window, opensAtMs: Math.max(window.opensAtMs, startMs) };
}

/** When a clock has shown this time in every one of the zones. */
function latestInstant(local: string | null, zones: readonly string[]): number {
  if (local === null) return Number.NEGATIVE_INFINITY;
  const time = Temporal.PlainDateTime.from(local);
  return Math.max(
    ...zones.map(
      (zone) => time.toZonedDateTime(zone, { disambiguation: 'later' }).epochMilliseconds,
    ),
  );
}
