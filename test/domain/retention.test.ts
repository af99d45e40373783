import { describe, expect, test } from 'vitest';
import { decideMonth, type MonthFacts, type RetentionRules } from '../../domain/retention.ts';

const RULES: RetentionRules = {
  archiveAfterDays: 90,
  graceDays: 7,
  archivesKeptDays: 0,
  eventsKeptDays: 60,
};
const MARCH_ENDS = new Date('2026-04-01T00:00:00Z');
const day = (n: number, ms = 0): Date => new Date(MARCH_ENDS.getTime() + n * 86_400_000 + ms);

const TEXTS: MonthFacts = {
  parent: 'message',
  endsAt: MARCH_ENDS,
  state: 'attached',
  detachedAt: null,
  openCampaigns: 0,
  hasOpenTexts: false,
  undroppedMonths: 1,
  textsUnderWay: false,
};
const EVENTS: MonthFacts = { ...TEXTS, parent: 'provider_event', undroppedMonths: 0 };

const write = { action: 'write' };
const wait = { action: 'wait' };
const hold = (reason: string) => ({ action: 'hold', reason });

describe('a month of texts', () => {
  test.each([
    ['waits until it is over for long enough', {}, {}, day(90, -1), wait],
    ['is written from that moment on', {}, {}, day(90), write],
    ['is never written where nothing is archived', {}, { archiveAfterDays: 0 }, day(9_000), wait],
    [
      'stays while a campaign from then or before is not over',
      { openCampaigns: 1 },
      {},
      day(90),
      hold('campaigns-not-over'),
    ],
    [
      'stays while a text of it may be sent or settled',
      { hasOpenTexts: true },
      {},
      day(90),
      hold('open-texts'),
    ],
    ['is written on where that was begun', { state: 'writing' }, {}, day(90), write],
    ['is detached once it is written', { state: 'written' }, {}, day(90), { action: 'detach' }],
    [
      'stays, though written, when a text of it is open again',
      { state: 'written', hasOpenTexts: true },
      {},
      day(90),
      hold('open-texts'),
    ],
    [
      'is compared as soon as it is detached',
      { state: 'detached', detachedAt: day(100) },
      {},
      day(100),
      { action: 'verify' },
    ],
    [
      'is compared even where nothing is archived any more',
      { state: 'detached', detachedAt: day(100) },
      { archiveAfterDays: 0 },
      day(100),
      { action: 'verify' },
    ],
    [
      'keeps its rows until its grace is over',
      { state: 'verified', detachedAt: day(100) },
      {},
      day(107, -1),
      wait,
    ],
    [
      'loses them then',
      { state: 'verified', detachedAt: day(100) },
      {},
      day(107),
      { action: 'drop' },
    ],
    [
      'loses them at once without a grace',
      { state: 'verified', detachedAt: day(100) },
      { graceDays: 0 },
      day(100),
      { action: 'drop' },
    ],
    ['is done with when it is dropped', { state: 'dropped' }, {}, day(9_000), wait],
    [
      'that an operator attached again is left alone',
      { state: 'kept' },
      {},
      day(9_000),
      hold('kept-by-operator'),
    ],
  ])('%s', (_, facts, rules, now, decision) => {
    expect(
      decideMonth({ ...TEXTS, ...(facts as Partial<MonthFacts>) }, { ...RULES, ...rules }, now),
    ).toEqual(decision);
  });
});

describe('a month of delivery reports', () => {
  test.each([
    ['waits until it is old enough', {}, {}, day(60, -1), wait],
    ['is detached then, without a file of its own', {}, {}, day(60), { action: 'detach' }],
    ['is kept for ever where 0 days are set', {}, { eventsKeptDays: 0 }, day(9_000), wait],
    [
      'waits for the texts of its time, which take it with them',
      { undroppedMonths: 2 },
      {},
      day(60),
      hold('texts-not-archived'),
    ],
    [
      'waits for nothing where texts are never archived',
      { undroppedMonths: 2 },
      { archiveAfterDays: 0 },
      day(60),
      { action: 'detach' },
    ],
    ['is not compared', { state: 'detached', detachedAt: day(60) }, {}, day(61), wait],
    [
      'is dropped after its grace',
      { state: 'detached', detachedAt: day(60) },
      {},
      day(67),
      { action: 'drop' },
    ],
  ])('%s', (_, facts, rules, now, decision) => {
    expect(
      decideMonth({ ...EVENTS, ...(facts as Partial<MonthFacts>) }, { ...RULES, ...rules }, now),
    ).toEqual(decision);
  });
});
