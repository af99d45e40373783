import { describe, expect, test } from 'vitest';
import { campaignWindow, type CampaignHours } from '../../domain/campaign-hours.ts';
import { HOURS_RULES } from '../../domain/data/hours-rules.ts';
import { AREA_CODE_STATES } from '../../domain/data/area-code-states.ts';
import { AREA_CODE_ZONES } from '../../domain/data/area-code-zones.ts';
import { usHolidays } from '../../domain/holidays.ts';
import { hoursRulesOf, placesForPhone, type HoursLaws } from '../../domain/jurisdictions.ts';
import { keysOf } from '../../domain/ranges.ts';
import { zonesForPhone } from '../../domain/texting-hours.ts';

const ALWAYS = { startMinute: 0, endMinute: 1_440, days: [1, 2, 3, 4, 5, 6, 7], blackoutDates: [] };
const NO_ORG = { startMinute: null, endMinute: null, days: null, blackout: [], version: 0 };

/** The window of a person by number and postcode, as local-looking ISO minutes in UTC. */
function windowOf(
  person: { readonly e164: string; readonly country?: string; readonly postcode?: string },
  now: string,
  overrides: Partial<Omit<CampaignHours, 'org'>> & { org?: Partial<CampaignHours['org']> } = {},
): string[] | null {
  const known = { country: 'US', ...person };
  const hours: CampaignHours = {
    campaign: ALWAYS,
    startsAtLocal: null,
    ...overrides,
    org: { laws: 'all', ...NO_ORG, ...overrides.org },
  };
  const whereabouts = { zones: zonesForPhone(known), places: placesForPhone(known) };
  const window = campaignWindow(whereabouts, hours, Date.parse(now));
  return window === null
    ? null
    : [window.opensAtMs, window.closesAtMs].map((ms) => new Date(ms).toISOString().slice(0, 16));
}

describe('the places of a person', () => {
  test.each([
    ['a postcode', { e164: '+12125550100', postcode: '33101' }, ['US-FL']],
    [
      'a postcode with four digits more',
      { e164: '+12125550100', postcode: '33101-1234' },
      ['US-FL'],
    ],
    [
      'a prefix that lies in two states',
      { e164: '+12125550100', postcode: '06390' },
      ['US-CT', 'US-NY'],
    ],
    ['the area code, where there is no postcode', { e164: '+13055550100' }, ['US-FL']],
    [
      'the area code, where the postcode is no ZIP code',
      { e164: '+13055550100', postcode: 'K1A 0B1' },
      ['US-FL'],
    ],
    ['a toll-free number', { e164: '+18005550100' }, ['US-*']],
    ['a territory', { e164: '+17875550100', country: 'PR' }, ['US-PR']],
    ['another country', { e164: '+447700900123', country: 'GB' }, ['GB']],
  ])('by %s', (_name, person, places) => {
    expect(placesForPhone({ country: 'US', ...person })).toEqual(places);
  });

  test('are known for every area code whose zone is', () => {
    const canadian = new Set(
      [
        'Halifax',
        'St_Johns',
        'Toronto',
        'Winnipeg',
        'Regina',
        'Edmonton',
        'Vancouver',
        'Whitehorse',
      ].flatMap((city) => keysOf(AREA_CODE_ZONES[`America/${city}`] ?? '')),
    );
    const american = Object.values(AREA_CODE_ZONES)
      .flatMap(keysOf)
      .filter((code) => !canadian.has(code));
    const stated = new Set(Object.values(AREA_CODE_STATES).flatMap(keysOf));
    expect([...new Set(american)].filter((code) => !stated.has(code))).toEqual([]);
  });
});

describe('the laws of hours', () => {
  test('name their source, and read as hours', () => {
    for (const rule of HOURS_RULES) {
      expect(rule.source.length).toBeGreaterThan(10);
      expect(rule.from).toMatch(/^\d{4}-\d{2}-\d{2}$/);
      for (const [days, hours] of Object.entries(rule.hours)) {
        expect(days).toMatch(/^[1-7]+$/);
        expect(hours).toMatch(/^\d{2}:\d{2}-\d{2}:\d{2}$/);
      }
    }
  });

  test.each<[string, Parameters<typeof windowOf>[0], string, [string, string] | null]>([
    // 2026-11-23 is a Monday; New York is five hours behind UTC.
    [
      'the federal window in New York',
      { e164: '+12125550100' },
      '2026-11-23T15:00Z',
      ['2026-11-23T13:00', '2026-11-24T02:00'],
    ],
    [
      'a shorter evening in Miami',
      { e164: '+13055550100' },
      '2026-11-23T15:00Z',
      ['2026-11-23T13:00', '2026-11-24T01:00'],
    ],
    [
      'a late Sunday in Dallas',
      { e164: '+12145550100' },
      '2026-11-22T12:00Z',
      ['2026-11-22T18:00', '2026-11-23T03:00'],
    ],
    [
      'no Sunday in Birmingham',
      { e164: '+12055550100' },
      '2026-11-22T15:00Z',
      ['2026-11-23T14:00', '2026-11-24T02:00'],
    ],
    [
      'no Thanksgiving in Birmingham',
      { e164: '+12055550100' },
      '2026-11-26T15:00Z',
      ['2026-11-27T14:00', '2026-11-28T02:00'],
    ],
    [
      'a short weekend in Providence',
      { e164: '+14015550100' },
      '2026-11-21T12:00Z',
      ['2026-11-21T15:00', '2026-11-21T22:00'],
    ],
    [
      'the meeting of all where nothing is known',
      { e164: '+18005550100' },
      '2026-11-23T12:00Z',
      ['2026-11-23T18:00', '2026-11-23T22:00'],
    ],
    [
      'both states of a prefix',
      { e164: '+12125550100', postcode: '06390' },
      '2026-11-23T15:00Z',
      ['2026-11-23T14:00', '2026-11-24T01:00'],
    ],
    [
      'no law of the United States in London',
      { e164: '+447700900123', country: 'GB' },
      '2026-11-23T12:00Z',
      ['2026-11-21T00:00', '2026-11-25T12:00'],
    ],
  ])('are %s', (_name, person, now, expected) => {
    expect(windowOf(person, now)).toEqual(expected);
  });

  test.each<[HoursLaws, [string, string]]>([
    ['all', ['2026-11-23T13:00', '2026-11-24T01:00']],
    ['federal', ['2026-11-23T13:00', '2026-11-24T02:00']],
  ])('count as the org says: %s', (laws, expected) => {
    const person = { e164: '+13055550100' };
    expect(windowOf(person, '2026-11-23T15:00Z', { org: { laws } })).toEqual(expected);
  });

  test('count from the day on which they begin, and ten days before to be sure', () => {
    const sunday = (date: string) =>
      hoursRulesOf(['US-PA'], { laws: 'all', date }).every((rule) =>
        rule.some(({ days }) => days.includes(7)),
      );
    expect([sunday('2026-09-01'), sunday('2026-10-09'), sunday('2026-10-18')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('the hours of an org', () => {
  const person = { e164: '+12125550100' };

  test('bound every campaign’s', () => {
    const org = { laws: 'none', startMinute: 600, endMinute: 1_080, days: [1] } as const;
    expect(windowOf(person, '2026-11-22T15:00Z', { org })).toEqual([
      '2026-11-23T15:00',
      '2026-11-23T23:00',
    ]);
  });

  test('leave out its blackout days', () => {
    const org = { laws: 'federal', blackout: ['2026-11-23'] } as const;
    expect(windowOf(person, '2026-11-23T15:00Z', { org })).toEqual([
      '2026-11-24T13:00',
      '2026-11-25T02:00',
    ]);
  });

  test('that meet the campaign’s nowhere leave nothing', () => {
    const campaign = { ...ALWAYS, startMinute: 0, endMinute: 420 };
    expect(windowOf(person, '2026-11-23T15:00Z', { campaign })).toBeNull();
  });
});

describe('a local time of delivery', () => {
  test.each([
    ['New York', '+12125550100', '2026-11-24T15:30'],
    ['Los Angeles', '+12135550100', '2026-11-24T18:30'],
  ])('comes to %s by its own clock', (_name, e164, opens) => {
    const window = windowOf({ e164 }, '2026-11-23T15:00Z', { startsAtLocal: '2026-11-24T10:30' });
    expect(window?.[0]).toBe(opens);
  });

  test('waits for the last clock where a person may be in several zones', () => {
    const window = windowOf({ e164: '+18505550100' }, '2026-11-23T15:00Z', {
      startsAtLocal: '2026-11-24T10:30',
    });
    expect(window?.[0]).toBe('2026-11-24T16:30');
  });

  test('opens nothing that the hours keep shut', () => {
    const window = windowOf({ e164: '+12125550100' }, '2026-11-23T15:00Z', {
      startsAtLocal: '2026-11-24T05:00',
    });
    expect(window?.[0]).toBe('2026-11-24T13:00');
  });
});

test('Federal holidays are those of 2026 and 2027', () => {
  expect(usHolidays(2026)).toEqual([
    '2026-01-01',
    '2026-01-19',
    '2026-02-16',
    '2026-05-25',
    '2026-06-19',
    '2026-07-03',
    '2026-07-04',
    '2026-09-07',
    '2026-10-12',
    '2026-11-11',
    '2026-11-26',
    '2026-12-25',
  ]);
  expect(usHolidays(2027)).toContain('2027-12-24');
});
