import { describe, expect, test } from 'vitest';
import { checkScript, SCRIPT_LIMITS } from '../../domain/script.ts';
import type { Script, ScriptAnswer, ScriptStep } from '../../domain/script.ts';

const START = 'Will you vote? Reply STOP to opt out';

function answer(overrides: Partial<ScriptAnswer> = {}): ScriptAnswer {
  return { key: 'yes', label: 'Yes', words: ['yes'], ...overrides };
}

function scriptOf(start: Partial<ScriptStep>, others: Record<string, ScriptStep> = {}): Script {
  return { start: 'a', steps: { a: { text: START, ...start }, ...others } };
}

function found(script: Script): string[] {
  return checkScript(script, ['first_name']).map(({ code, path }) => `${code} ${path}`);
}

describe('a script', () => {
  test('in order has no problems', () => {
    const script = scriptOf(
      {
        text: `Hi {{first_name|there}}! ${START}`,
        answers: [answer({ next: 'b' }), answer({ key: 'no', words: ['no'], next: 'a' })],
      },
      { b: { text: 'Thank you', waitFor: 'delivered', next: 'c' }, c: { text: 'Bye' } },
    );
    expect(checkScript(script, ['first_name'])).toEqual([]);
  });

  test.each<[string, Script]>([
    ['start-unknown start', { start: 'x', steps: {} }],
    ['start-unknown start', { start: 'constructor', steps: {} }],
    ['start-unknown start', { start: '__proto__', steps: {} }],
    ['next-unknown steps.a.next', scriptOf({ next: 'x' })],
    ['next-unknown steps.a.next', scriptOf({ next: 'toString' })],
    ['next-unknown steps.a.answers.0.next', scriptOf({ answers: [answer({ next: 'x' })] })],
    ['step-unreachable steps.b', scriptOf({}, { b: { text: 'x' } })],
    ['template-bad steps.a.text', scriptOf({ text: 'Hi {{' })],
    ['field-unknown steps.a.text', scriptOf({ text: `{{surname}} ${START}` })],
    ['field-unknown steps.a.text', scriptOf({ text: `{{constructor}} ${START}` })],
    ['opt-out-missing steps.a.text', scriptOf({ text: 'Will you vote?' })],
    ['opt-out-missing steps.a.text', scriptOf({ text: 'Stop by the school' })],
    ['opt-out-missing steps.a.text', scriptOf({ text: 'Hi {{first_name|STOP}}' })],
    ['segments-many steps.a.text', scriptOf({ text: START.repeat(15) })],
    ['answers-and-next steps.a.next', scriptOf({ answers: [answer()], next: 'a' })],
    ['wait-ignored steps.a.waitFor', scriptOf({ answers: [answer()], waitFor: 'delivered' })],
    [
      'answer-repeated steps.a.answers.1.key',
      scriptOf({ answers: [answer(), answer({ words: ['y'] })] }),
    ],
    ['word-empty steps.a.answers.0.words.0', scriptOf({ answers: [answer({ words: [' '] })] })],
    [
      'word-repeated steps.a.answers.1.words.0',
      scriptOf({ answers: [answer(), answer({ key: 'b', words: ['YES!'] })] }),
    ],
    [
      'word-reserved steps.a.answers.0.words.0',
      scriptOf({ answers: [answer({ words: ['End'] })] }),
    ],
    [
      'word-reserved steps.a.answers.0.words.0',
      scriptOf({ answers: [answer({ words: ['INFO'] })] }),
    ],
    [
      'word-reserved steps.a.answers.0.words.0',
      scriptOf({ answers: [answer({ words: ['wrong number'] })] }),
    ],
    [
      'word-reserved steps.a.answers.0.words.0',
      scriptOf({ answers: [answer({ words: ['start'], action: 'opt-out' })] }),
    ],
    [
      'word-unclear steps.a.answers.0.words.0',
      scriptOf({ answers: [answer({ words: ['bus stop'] })] }),
    ],
    [
      'next-after-opt-out steps.a.answers.0.next',
      scriptOf({ answers: [answer({ action: 'opt-out', next: 'a' })] }),
    ],
    ['key-bad steps.a.answers.0.key', scriptOf({ answers: [answer({ key: 'a b' })] })],
    ['limit steps.a.answers.0', scriptOf({ answers: [answer({ label: 'x'.repeat(201) })] })],
    [
      'limit steps.a.answers.0.words',
      scriptOf({ answers: [answer({ words: ['x'.repeat(101)] })] }),
    ],
    [
      'limit steps.a.answers',
      scriptOf({ answers: Array.from({ length: SCRIPT_LIMITS.answers + 1 }, () => answer()) }),
    ],
    [
      'limit steps',
      scriptOf(
        {},
        Object.fromEntries(
          Array.from({ length: SCRIPT_LIMITS.steps }, (_, key) => [`s${key}`, { text: 'x' }]),
        ),
      ),
    ],
  ])('is told of %s', (problem, script) => {
    expect(found(script)).toEqual([problem]);
  });

  test('may not have a step that poses as a prototype', () => {
    const script = JSON.parse(
      `{"start":"a","steps":{"a":{"text":"${START}","next":"__proto__"},"__proto__":{"text":"x"}}}`,
    ) as Script;
    expect(found(script)).toEqual(['key-bad steps.__proto__']);
  });

  test('may not repeat texts without a question', () => {
    const script = scriptOf(
      { next: 'b' },
      { b: { text: 'x', next: 'c' }, c: { text: 'x', waitFor: 'delivered', next: 'b' } },
    );
    expect(found(script)).toEqual([
      'loop-without-question steps.b.next',
      'loop-without-question steps.c.next',
    ]);
  });

  test('may come back to a question', () => {
    expect(
      found(scriptOf({ answers: [answer({ next: 'b' })] }, { b: { text: 'x', next: 'a' } })),
    ).toEqual([]);
  });

  test('may take a stop word for an answer that opts out', () => {
    expect(
      found(
        scriptOf({ answers: [answer({ words: ['stop', 'wrong number'], action: 'opt-out' })] }),
      ),
    ).toEqual([]);
  });

  test.each([
    'Reply STOP to opt out',
    'Text stop to end',
    'STOP=quit',
    'Stop2End: text "stop"',
    'Responda ALTO para salir',
    'Répondez « arrêt »',
    'Jibu ACHA kusitisha',
  ])('tells how to opt out by "%s"', (text) => {
    expect(found(scriptOf({ text }))).toEqual([]);
  });

  test('is kept from being saved by errors only', () => {
    const severities = (script: Script) => checkScript(script, []).map(({ severity }) => severity);
    expect(severities(scriptOf({ text: 'Will you vote?' }))).toEqual(['error']);
    expect(severities(scriptOf({ text: START.repeat(15) }))).toEqual(['warning']);
  });
});
