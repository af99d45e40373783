import { Instant, LocalDateTime, ZoneId } from '@js-joda/core';
// The zones are a side effect of the package.
// oxlint-disable-next-line import/no-unassigned-import
import '@js-joda/timezone';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openWindow, type TextingHours } from '../../domain/texting-hours.ts';

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];
const NINE_TO_EIGHT = hours(9 * 60, 20 * 60);

function hours(
  startMinute: number,
  endMinute: number,
  rest: Partial<TextingHours> = {},
): TextingHours {
  return { startMinute, endMinute, days: EVERY_DAY, blackoutDates: [], ...rest };
}

function open({ zones, now, at }: { zones: string[]; now: string; at: TextingHours }) {
  const window = openWindow({ zones, hours: at, nowMs: Date.parse(now) });
  if (window === null) return null;
  return [window.opensAtMs, window.closesAtMs].map((ms) =>
    new Date(ms).toISOString().replace(':00.000', ''),
  );
}

describe('the window of one zone', () => {
  test.each([
    [
      'is open now',
      'America/New_York',
      '2026-06-15T15:00Z',
      NINE_TO_EIGHT,
      ['2026-06-15T13:00Z', '2026-06-16T00:00Z'],
    ],
    [
      'opens later today',
      'America/New_York',
      '2026-06-15T11:00Z',
      NINE_TO_EIGHT,
      ['2026-06-15T13:00Z', '2026-06-16T00:00Z'],
    ],
    [
      'is shut at its very end',
      'America/New_York',
      '2026-06-16T00:00Z',
      NINE_TO_EIGHT,
      ['2026-06-16T13:00Z', '2026-06-17T00:00Z'],
    ],
    [
      'keeps no summer time in Phoenix',
      'America/Phoenix',
      '2026-06-15T15:00Z',
      NINE_TO_EIGHT,
      ['2026-06-15T16:00Z', '2026-06-16T03:00Z'],
    ],
    [
      'knows Indiana',
      'America/Indiana/Indianapolis',
      '2026-06-15T15:00Z',
      NINE_TO_EIGHT,
      ['2026-06-15T13:00Z', '2026-06-16T00:00Z'],
    ],
    [
      'knows western Indiana',
      'America/Indiana/Tell_City',
      '2026-06-15T15:00Z',
      NINE_TO_EIGHT,
      ['2026-06-15T14:00Z', '2026-06-16T01:00Z'],
    ],
    [
      'knows Adak',
      'America/Adak',
      '2026-01-15T12:00Z',
      NINE_TO_EIGHT,
      ['2026-01-15T19:00Z', '2026-01-16T06:00Z'],
    ],
    [
      'knows the half hour of Lord Howe',
      'Australia/Lord_Howe',
      '2026-06-15T00:00Z',
      NINE_TO_EIGHT,
      ['2026-06-14T22:30Z', '2026-06-15T09:30Z'],
    ],
    [
      'is an hour of the clock shorter on the day of the spring change',
      'America/New_York',
      '2026-03-08T05:00Z',
      hours(0, 720),
      ['2026-03-08T05:00Z', '2026-03-08T16:00Z'],
    ],
    [
      'is an hour longer on the day of the autumn change',
      'America/New_York',
      '2026-11-01T05:00Z',
      hours(0, 720),
      ['2026-11-01T04:00Z', '2026-11-01T17:00Z'],
    ],
    [
      'opens at the change when its start is skipped',
      'America/New_York',
      '2026-03-08T05:00Z',
      hours(150, 720),
      ['2026-03-08T07:00Z', '2026-03-08T16:00Z'],
    ],
    [
      'closes at the change when its end is skipped',
      'America/New_York',
      '2026-03-08T05:00Z',
      hours(0, 150),
      ['2026-03-08T05:00Z', '2026-03-08T07:00Z'],
    ],
    [
      'opens the second time that its start comes',
      'America/New_York',
      '2026-11-01T04:00Z',
      hours(90, 720),
      ['2026-11-01T06:30Z', '2026-11-01T17:00Z'],
    ],
    [
      'closes the first time that its end comes',
      'America/New_York',
      '2026-11-01T04:00Z',
      hours(0, 90),
      ['2026-11-01T04:00Z', '2026-11-01T05:30Z'],
    ],
    [
      'goes over midnight',
      'America/Chicago',
      '2026-06-15T06:00Z',
      hours(22 * 60, 2 * 60),
      ['2026-06-15T03:00Z', '2026-06-15T07:00Z'],
    ],
    [
      'over midnight belongs to the day it starts',
      'America/Chicago',
      '2026-06-13T06:00Z',
      hours(22 * 60, 2 * 60, { days: [5] }),
      ['2026-06-13T03:00Z', '2026-06-13T07:00Z'],
    ],
    [
      'skips days that are not open',
      'America/Chicago',
      '2026-06-13T18:00Z',
      hours(540, 1200, { days: [1] }),
      ['2026-06-15T14:00Z', '2026-06-16T01:00Z'],
    ],
    [
      'skips blackout dates',
      'America/Chicago',
      '2026-11-26T18:00Z',
      hours(540, 1200, { blackoutDates: ['2026-11-26'] }),
      ['2026-11-27T15:00Z', '2026-11-28T02:00Z'],
    ],
    [
      'reaches to midnight',
      'America/Chicago',
      '2026-06-15T18:00Z',
      hours(720, 1440, { days: [1] }),
      ['2026-06-15T17:00Z', '2026-06-16T05:00Z'],
    ],
  ])('%s', (_, zone, now, at, expected) => {
    expect(open({ zones: [zone], now, at })).toEqual(expected);
  });

  test('of all day and every day is one, cut 48 hours from now', () => {
    const now = '2026-06-15T15:20Z';
    expect(open({ zones: ['America/New_York'], now, at: hours(0, 1440) })?.[1]).toBe(
      '2026-06-17T15:20Z',
    );
    expect(open({ zones: ['America/New_York'], now, at: hours(600, 600) })?.[1]).toBe(
      '2026-06-17T15:20Z',
    );
  });

  test('of all day has no gap when midnight comes twice', () => {
    const now = '2026-10-31T20:00Z';
    expect(open({ zones: ['America/Havana'], now, at: hours(0, 1440) })?.[1]).toBe(
      '2026-11-02T20:00Z',
    );
  });
});

describe('the window of several zones', () => {
  test('is what they have in common', () => {
    const zones = ['America/New_York', 'America/Los_Angeles', 'America/New_York'];
    expect(open({ zones, now: '2026-06-15T14:00Z', at: NINE_TO_EIGHT })).toEqual([
      '2026-06-15T16:00Z',
      '2026-06-16T00:00Z',
    ]);
  });

  test('is none when they have nothing in common', () => {
    const zones = ['America/New_York', 'Asia/Tokyo'];
    expect(open({ zones, now: '2026-06-15T14:00Z', at: hours(540, 1020) })).toBeNull();
  });

  test.each([
    ['no zone is known', [], NINE_TO_EIGHT],
    ['no day is open', ['America/New_York'], hours(540, 1200, { days: [] })],
    [
      'the next opening is more than 8 days away',
      ['America/New_York'],
      hours(540, 1200, {
        blackoutDates: Array.from({ length: 9 }, (_, day) => `2026-06-${15 + day}`),
      }),
    ],
  ])('is none when %s', (_, zones, at) => {
    expect(open({ zones, now: '2026-06-15T14:00Z', at })).toBeNull();
  });
});

const ZONES = [
  'America/New_York',
  'America/Phoenix',
  'America/Indiana/Indianapolis',
  'America/Indiana/Tell_City',
  'America/Adak',
  'Australia/Lord_Howe',
  'America/St_Johns',
  'America/Havana',
  'Europe/London',
  'Asia/Kathmandu',
  'Pacific/Chatham',
  'America/Santiago',
];

test('every instant of a window is open by the clock of every zone, and none before it is', () => {
  const aHours = fc
    .record({
      startMinute: fc.integer({ min: 0, max: 1439 }),
      endMinute: fc.integer({ min: 0, max: 1440 }),
      days: fc.subarray(EVERY_DAY, { minLength: 1 }),
    })
    .map((each): TextingHours => ({ ...each, blackoutDates: ['2026-03-09', '2026-11-01'] }));
  const changes = [
    '2026-03-08T07:00Z',
    '2026-11-01T06:00Z',
    '2026-03-29T01:00Z',
    '2026-04-04T15:00Z',
    '2026-10-03T15:30Z',
    '2027-03-14T07:00Z',
    '2027-11-07T06:00Z',
    '2027-11-07T11:00Z',
  ].map((each) => Date.parse(each));
  const aNow = fc.oneof(
    fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2027-12-31') }),
    fc
      .tuple(fc.constantFrom(...changes), fc.integer({ min: -172_800_000, max: 172_800_000 }))
      .map(([change, ms]) => change + ms),
  );
  const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
    minLength: 4,
    maxLength: 4,
  });
  fc.assert(
    fc.property(
      fc.subarray(ZONES, { minLength: 1, maxLength: 3 }),
      aHours,
      aNow,
      fractions,
      (zones, at, nowMs, points) => {
        const window = openWindow({ zones, hours: at, nowMs });
        if (window === null) return;
        const { opensAtMs, closesAtMs } = window;
        expect(closesAtMs).toBeGreaterThan(Math.max(nowMs, opensAtMs));
        const within = [0, ...points].map((part) =>
          Math.floor(opensAtMs + part * (closesAtMs - 1 - opensAtMs)),
        );
        for (const ms of [...within, closesAtMs - 1]) {
          for (const zone of zones)
            expect({ zone, ms, open: isOpen(zone, at, ms) }).toEqual({
              zone,
              ms,
              open: true,
            });
        }
        if (opensAtMs <= nowMs) return;
        // The engine may stay shut for the part of a repeated hour that is open twice.
        const early = points.map((part) => Math.floor(nowMs + part * (opensAtMs - 1 - nowMs)));
        const open = early.filter((ms) =>
          zones.every((zone) => isOpen(zone, at, ms) && !repeats(zone, ms)),
        );
        expect(open).toEqual([]);
      },
    ),
    { numRuns: 2000 },
  );
});

/** The clock on the wall by another implementation, with a zone database of its own. */
function wall(zone: string, ms: number): { date: string; minute: number } {
  const local = LocalDateTime.ofInstant(Instant.ofEpochMilli(ms), ZoneId.of(zone));
  return { date: local.toLocalDate().toString(), minute: local.hour() * 60 + local.minute() };
}

function isOpen(zone: string, at: TextingHours, ms: number): boolean {
  const { date, minute } = wall(zone, ms);
  const before = new Date(Date.parse(date) - 86_400_000).toISOString().slice(0, 10);
  const starts = (day: string) =>
    at.days.includes(new Date(day).getUTCDay() || 7) && !at.blackoutDates.includes(day);
  const length = at.endMinute > at.startMinute ? at.endMinute : at.endMinute + 1440;
  const today = starts(date) && minute >= at.startMinute && minute < length;
  return today || (starts(before) && minute + 1440 < length);
}

// Whether the clock shows this minute twice, or has just done so.
function repeats(zone: string, ms: number): boolean {
  const hour = 3_600_000;
  const offset = (at: number) => {
    const { date, minute } = wall(zone, at);
    return Date.parse(date) + minute * 60_000 - Math.floor(at / 60_000) * 60_000;
  };
  return offset(ms - 2 * hour) > offset(ms + 2 * hour);
}
