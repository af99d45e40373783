import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyReply, normalizeReply, RESERVED_WORDS } from '../../domain/keywords.ts';

/** One reply a line: its kind, its language (or `x` for none), and the text as a JSON string. */
const CORPUS = readFileSync(new URL('data/replies.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [kind = '', language = '', text = ''] = line.split('\t');
    return [language, String(JSON.parse(text)), kind] as const;
  });

describe('a reply', () => {
  test.each(CORPUS)('in %s, %j, is of the kind %s', (_language, body, kind) => {
    expect(classifyReply(body).kind).toBe(kind);
  });

  test('is tested in five languages, by every kind of stop', () => {
    for (const language of ['en', 'es', 'fr', 'pt', 'sw']) {
      const stops = CORPUS.filter(([of, , kind]) => of === language && kind === 'stop');
      expect([language, stops.length >= 20]).toEqual([language, true]);
    }
  });
});

test('a stop behind a quote of our own text is a stop', () => {
  expect(classifyReply('“Reply STOP to opt out” stop').kind).toBe('stop');
  expect(classifyReply('Liked “Reply STOP to opt out” but remove me').kind).toBe('stop');
});

test('the word or phrase that decided is named', () => {
  expect(classifyReply('Please, take me OFF your list').matched).toBe('take me off');
  expect(classifyReply('hello').matched).toBeNull();
});

test('every reserved word is acted on', () => {
  const idle = RESERVED_WORDS.filter(
    (word) => !['stop', 'start', 'help'].includes(classifyReply(word).kind),
  );
  expect(idle).toEqual([]);
});

test('case, spaces, punctuation and emoji around a stop word change nothing', () => {
  const noise = fc.string({ unit: fc.constantFrom(' ', '!', '.', '🛑', '\n', '-', '*', '’') });
  const word = fc.constantFrom(
    'stop',
    'unsubscribe',
    'quit',
    'cancel',
    'end',
    'revoke',
    'optout',
    'stopall',
  );
  fc.assert(
    fc.property(noise, word, noise, fc.boolean(), (before, stop, after, upper) => {
      const body = `${before}${upper ? stop.toUpperCase() : stop}${after}`;
      expect(classifyReply(body).kind).toBe('stop');
    }),
  );
});

test('a normalised reply is normal already', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (body) => {
      const normal = normalizeReply(body);
      expect(normalizeReply(normal)).toBe(normal);
    }),
  );
});

test('a very long reply is classified at once', () => {
  const started = performance.now();
  classifyReply('“stop '.repeat(20_000));
  classifyReply(`Reacted ${'x to “'.repeat(5_000)}`);
  expect(performance.now() - started).toBeLessThan(1000);
});
