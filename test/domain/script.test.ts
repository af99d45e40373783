import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advance,
  afterDelivered,
  checkScript,
  matchAnswer,
  openingSends,
} from '../../domain/script.ts';
import type { Script, ScriptStep } from '../../domain/script.ts';

const ask: ScriptStep = {
  text: 'Hi {{first_name|there}}, will you vote? Reply STOP to opt out',
  answers: [
    {
      key: 'yes',
      label: 'Yes',
      words: ['yes', 'yeah', 'y', '1', '👍', 'you bet'],
      next: 'thanks',
      tag: 'supporter',
    },
    { key: 'no', label: 'No', words: ['no', 'nope', '2'], next: null },
    { key: 'maybe', label: 'Not sure', words: ['maybe', 'not sure'], next: 'again' },
    { key: 'talk', label: 'Talk to someone', words: ['person'], action: 'hand-over' },
    { key: 'out', label: 'Leave me', words: ['not interested'], action: 'opt-out' },
  ],
};

const script: Script = {
  start: 'ask',
  steps: {
    ask,
    thanks: { text: 'Thank you!', next: 'place' },
    place: { text: 'Your polling place is the school.', waitFor: 'delivered', next: 'last' },
    last: { text: 'Bring an ID.' },
    again: {
      text: 'Can we ask again later?',
      unclear: 'repeat',
      answers: [{ key: 'ok', label: 'OK', words: ['ok'], next: 'ask' }],
    },
  },
};

describe('an answer', () => {
  test.each([
    ['yes', 'yes'],
    ['YES!!', 'yes'],
    ['Yeah 😀', 'yes'],
    ['yesss', 'yes'],
    ['yes please', 'yes'],
    ['1.', 'yes'],
    ['1️⃣', 'yes'],
    ['👍🏽', 'yes'],
    ['You bet I will', 'yes'],
    ['nope, sorry', 'no'],
    ['Not sure yet', 'maybe'],
    ['not interested', 'out'],
    ['yes or no?', null],
    ['yesterday', null],
    ['10', null],
    ['I said yes', null],
    ['', null],
    ['🎉', null],
  ])('"%s" means %s', (body, key) => {
    expect(matchAnswer(ask, body)?.key ?? null).toBe(key);
  });

  test('that starts with the words of two answers is unclear', () => {
    const step: ScriptStep = {
      text: 'x',
      answers: [
        { key: 'a', label: 'A', words: ['yes'] },
        { key: 'b', label: 'B', words: ['yes but'] },
      ],
    };
    expect(matchAnswer(step, 'yes but later')).toBeNull();
    expect(matchAnswer(step, 'yes but')?.key).toBe('b');
    expect(matchAnswer(step, 'yes later')?.key).toBe('a');
  });
});

describe('a conversation', () => {
  test('opens with its first text and stands there', () => {
    expect(openingSends(script)).toEqual({ sends: ['ask'], step: 'ask' });
    expect(openingSends({ ...script, start: 'last' })).toEqual({ sends: ['last'], step: null });
    expect(openingSends({ ...script, start: 'thanks' })).toEqual({
      sends: ['thanks'],
      step: 'thanks',
    });
    expect(openingSends({ ...script, start: 'place' })).toEqual({
      sends: ['place'],
      step: 'place',
    });
  });

  test.each([
    [
      'ask',
      'yes',
      {
        outcome: 'answered',
        sends: ['thanks', 'place'],
        step: 'place',
        handOver: false,
        optOut: false,
      },
    ],
    ['ask', 'no', { outcome: 'answered', sends: [], step: null, handOver: false, optOut: false }],
    [
      'ask',
      'maybe',
      { outcome: 'answered', sends: ['again'], step: 'again', handOver: false, optOut: false },
    ],
    [
      'again',
      'ok',
      { outcome: 'answered', sends: ['ask'], step: 'ask', handOver: false, optOut: false },
    ],
    [
      'ask',
      'person',
      { outcome: 'answered', sends: [], step: null, handOver: true, optOut: false },
    ],
    [
      'ask',
      'not interested',
      { outcome: 'answered', sends: [], step: null, handOver: false, optOut: true },
    ],
    ['ask', 'what?', { outcome: 'unclear', handOver: true, sends: [], step: 'ask' }],
    ['again', 'what?', { outcome: 'unclear', handOver: false, sends: ['again'], step: 'again' }],
    ['place', 'thanks', { outcome: 'unclear', handOver: true, sends: [], step: 'place' }],
  ])('at %s, "%s" gives %o', (step, body, expected) => {
    expect(advance({ script, step, body })).toMatchObject(expected);
  });

  test('goes on after a delivery, but not past a question', () => {
    expect(afterDelivered({ script, step: 'place' })).toEqual({ sends: ['last'], step: null });
    expect(afterDelivered({ script, step: 'thanks' })).toEqual({ sends: ['place'], step: 'place' });
    expect(afterDelivered({ script, step: 'last' })).toEqual({ sends: [], step: null });
    expect(afterDelivered({ script, step: 'ask' })).toEqual({ sends: [], step: 'ask' });
  });

  test.each(['nowhere', 'constructor', '__proto__'])('has no step %s', (step) => {
    expect(() => advance({ script, step, body: 'yes' })).toThrow(RangeError);
  });

  test('ends when an unchecked script runs in circles', () => {
    const circle: Script = {
      start: 'a',
      steps: { a: { text: 'a', next: 'b' }, b: { text: 'b', next: 'a' } },
    };
    expect(afterDelivered({ script: circle, step: 'a' })).toEqual({
      sends: ['b', 'a'],
      step: null,
    });
  });

  test('of a script without errors never meets an unknown step, whatever is replied', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const next = fc.option(key, { nil: null });
    const step = fc.oneof(
      next.map((to): ScriptStep => ({ text: 'Reply STOP to opt out', next: to })),
      next.map((to): ScriptStep => ({
        text: 'Reply STOP to opt out',
        next: to,
        waitFor: 'delivered',
      })),
      fc.tuple(next, next).map(([yes, no]): ScriptStep => ({
        text: 'Reply STOP to opt out',
        answers: [
          { key: 'yes', label: 'Yes', words: ['yes'], next: yes },
          { key: 'no', label: 'No', words: ['no'], next: no },
        ],
      })),
    );
    const replies = fc.array(fc.constantFrom('yes', 'no', 'hm', null), { maxLength: 20 });
    fc.assert(
      fc.property(
        fc.dictionary(key, step, { minKeys: 1 }),
        key,
        replies,
        (steps, start, bodies) => {
          const made: Script = { start, steps };
          fc.pre(checkScript(made, []).every(({ severity }) => severity === 'warning'));
          let at = openingSends(made).step;
          for (const body of bodies) {
            if (at === null) break;
            at =
              body === null
                ? afterDelivered({ script: made, step: at }).step
                : advance({ script: made, step: at, body }).step;
          }
          expect(at === null || Object.hasOwn(steps, at)).toBe(true);
        },
      ),
    );
  });
});
