import { describe, expect, test } from 'vitest';
import { mayText } from './facts/hours.ts';
import type { Hours } from './facts/facts.ts';
import { countSegments, readKeyword } from './facts/own-rules.ts';
import { judgeHours } from './judges/hours.ts';
import { judgeMoney } from './judges/money.ts';
import { judgeRate } from './judges/rate.ts';
import { aCampaign, aCreate, aMessage, NOON, SENDER, someFacts } from './some-facts.ts';

const WEEKDAYS = { startMinute: 540, endMinute: 1_200, days: [1, 2, 3, 4, 5], blackout: [] };
const ALWAYS = { startMinute: 0, endMinute: 1_440, days: [1, 2, 3, 4, 5, 6, 7], blackout: [] };

function isWithin(at: string, hours: Hours | Hours[], zones: string[]): boolean {
  const campaign = { hours: [hours].flat(), boundByLaw: false, startsAtLocal: null };
  return mayText(Date.parse(at), campaign, { zones, isAmerican: true });
}

describe('hours', () => {
  test.each<[at: string, zones: string[], isOpen: boolean]>([
    ['2026-11-24T13:59:59Z', ['America/New_York'], false],
    ['2026-11-24T14:00:00Z', ['America/New_York'], true],
    ['2026-11-25T01:00:00Z', ['America/New_York'], true],
    ['2026-11-25T01:00:01Z', ['America/New_York'], false],
    ['2026-11-24T14:30:00Z', ['America/New_York', 'America/Chicago'], false],
    ['2026-11-24T15:00:00Z', ['America/New_York', 'America/Chicago'], true],
    // Half-hour zones, and one that changes by half an hour.
    ['2026-11-24T03:29:00Z', ['Asia/Kolkata'], false],
    ['2026-11-24T03:30:00Z', ['Asia/Kolkata'], true],
    ['2026-07-01T22:30:00Z', ['Australia/Lord_Howe'], true],
    ['2026-07-01T22:29:00Z', ['Australia/Lord_Howe'], false],
    ['2026-12-01T22:00:00Z', ['Australia/Lord_Howe'], true],
    // The clocks of New York change on 14 March 2027, those of Phoenix never.
    ['2027-03-15T13:00:00Z', ['America/New_York'], true],
    ['2027-03-15T16:00:00Z', ['America/Phoenix'], true],
    ['2027-03-15T15:59:00Z', ['America/Phoenix'], false],
    // A Saturday.
    ['2026-11-28T17:00:00Z', ['America/New_York'], false],
  ])('at %s in %s: %s', (at, zones, isOpen) => {
    expect(isWithin(at, WEEKDAYS, zones)).toBe(isOpen);
  });

  test.each<[at: string, isOpen: boolean]>([
    // From Friday 20:00 to Saturday 02:00, and not on the Friday of Thanksgiving.
    ['2026-11-20T20:00:00Z', true],
    ['2026-11-21T01:59:00Z', true],
    ['2026-11-21T02:01:00Z', false],
    ['2026-11-21T20:00:00Z', false],
    ['2026-11-27T20:00:00Z', false],
    ['2026-11-28T01:00:00Z', false],
  ])('over midnight, at %s: %s', (at, isOpen) => {
    const night = { startMinute: 1_200, endMinute: 120, days: [5], blackout: ['2026-11-27'] };
    expect(isWithin(at, night, ['Etc/UTC'])).toBe(isOpen);
  });

  test('of the org bind as those of the campaign do', () => {
    const morning = { ...ALWAYS, endMinute: 720 };
    const at = '2026-11-24T18:00:00Z';
    expect(isWithin(at, [WEEKDAYS, ALWAYS], ['America/New_York'])).toBe(true);
    expect(isWithin(at, [WEEKDAYS, morning], ['America/New_York'])).toBe(false);
    const blackout = ['2026-11-24'];
    expect(isWithin(at, [WEEKDAYS, { ...ALWAYS, blackout }], ['America/New_York'])).toBe(false);
  });

  test.each<[at: string, boundByLaw: boolean, isAmerican: boolean, may: boolean]>([
    ['2026-11-25T02:00:00Z', true, true, true],
    ['2026-11-25T02:01:00Z', true, true, false],
    ['2026-11-25T12:59:00Z', true, true, false],
    ['2026-11-25T13:00:00Z', true, true, true],
    ['2026-11-25T02:01:00Z', false, true, true],
    ['2026-11-25T02:01:00Z', true, false, true],
  ])('by law, at %s: %s, %s, %s', (at, boundByLaw, isAmerican, may) => {
    const campaign = { hours: [ALWAYS], boundByLaw, startsAtLocal: null };
    const where = { zones: ['America/New_York'], isAmerican };
    expect(mayText(Date.parse(at), campaign, where)).toBe(may);
  });

  test('begin for nobody before the time that their own clock must show', () => {
    const campaign = { hours: [ALWAYS], boundByLaw: false, startsAtLocal: '2026-11-24T10:00' };
    const may = (zones: string[]) =>
      mayText(Date.parse('2026-11-24T15:30:00Z'), campaign, { zones, isAmerican: true });
    expect(may(['America/New_York'])).toBe(true);
    expect(may(['America/New_York', 'America/Chicago'])).toBe(false);
  });

  const atNight = [aCreate({ receivedAtMs: NOON + 4 * 3_600_000 })];

  test('refuse a text in the night, and spare an answer unless the campaign binds it', () => {
    const judge = (purpose: string, autoRepliesInHoursOnly = false) =>
      judgeHours(
        someFacts({
          creates: atNight,
          messages: [aMessage({ purpose })],
          campaigns: [aCampaign({ autoRepliesInHoursOnly })],
        }),
      ).violations;
    expect(judge('campaign')).toBe(1);
    expect(judge('auto_reply')).toBe(0);
    expect(judge('auto_reply', true)).toBe(1);
    expect(judge('stop_confirmation')).toBe(0);
  });

  test('ask every zone, and refuse a person without one', () => {
    const judge = (zones: string[]) =>
      judgeHours(someFacts({ creates: [aCreate()], messages: [aMessage()], zones })).violations;
    expect(judge(['America/New_York', 'America/Los_Angeles'])).toBe(0);
    expect(judge(['America/New_York', 'Europe/Paris'])).toBe(1);
    expect(judge([])).toBe(1);
  });
});

describe('rate', () => {
  /** Texts of one segment at these milliseconds; the sender's limit is 2 a second. */
  const at = (...times: number[]) =>
    someFacts({ creates: times.map((ms) => aCreate({ receivedAtMs: NOON + ms })) });

  test('allows the limit and one text in any second', () => {
    expect(judgeRate(at(0, 500, 999, 1_500, 2_000, 2_600)).ok).toBe(true);
  });

  test('refuses more, wherever the second begins', () => {
    expect(judgeRate(at(0, 900, 1_100, 1_500, 1_899)).violations).toBe(1);
  });

  test('allows one long text beyond the limit, and no second one', () => {
    const long = (ms: number) => aCreate({ receivedAtMs: NOON + ms, counted: 4 });
    expect(judgeRate(someFacts({ creates: [long(0)] })).ok).toBe(true);
    expect(judgeRate(someFacts({ creates: [long(0), long(900)] })).ok).toBe(false);
    expect(judgeRate(someFacts({ creates: [long(0), long(1_000)] })).ok).toBe(true);
  });

  test('shortens the second by the jitter that it is told', () => {
    const facts = at(0, 900, 950, 999);
    expect(judgeRate(facts).ok).toBe(false);
    const spared = { ...facts, expectations: { ...facts.expectations, jitterMs: 100 } };
    expect(judgeRate(spared)).toMatchObject({
      ok: true,
      figures: { 'most over the limit in any second': 1 },
    });
  });

  test('takes the limit it is told, and refuses a sender that is not ours', () => {
    const facts = at(0, 1, 2, 3, 4);
    const told = { ...facts.expectations, senderLimits: { [SENDER]: 10 } };
    expect(judgeRate({ ...facts, expectations: told }).ok).toBe(true);
    const strange = someFacts({ creates: [aCreate({ from: '+15005550006' })] });
    expect(judgeRate(strange).violations).toBe(1);
  });
});

describe('money', () => {
  test.each<[string, number]>([
    ['', 1],
    ['a'.repeat(160), 1],
    ['a'.repeat(161), 2],
    ['€'.repeat(80), 1],
    ['€'.repeat(81), 2],
    // The two halves of an extended character stay together.
    [`${'a'.repeat(152)}€${'a'.repeat(152)}`, 3],
    ['’'.repeat(70), 1],
    ['’'.repeat(71), 2],
    [`${'’'.repeat(66)}🗳${'’'.repeat(66)}`, 3],
  ])('counts the segments of a body (%#)', (body, segments) => {
    expect(countSegments(body)).toBe(segments);
  });

  test('refuses a text that is billed otherwise than predicted', () => {
    const judge = (segments: number) =>
      judgeMoney(someFacts({ creates: [aCreate()], messages: [aMessage({ segments })] }));
    expect(judge(1)).toMatchObject({ ok: true, figures: { billed: 1, predicted: 1 } });
    expect(judge(2).violations).toBe(1);
  });
});

test.each([
  ['STOP', 'stop'],
  ['stop.', 'stop'],
  ['Stop texting me please', 'stop'],
  ['Start', 'start'],
  ['I will not stop', null],
  ['Yes', null],
])('reads %j as %s', (body, keyword) => {
  expect(readKeyword(body, null)).toBe(keyword);
});
