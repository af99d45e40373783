import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyReply, normalizeReply, RESERVED_WORDS } from '../../domain/keywords.ts';

const CORPUS = {
  stop: [
    'STOP',
    'stop',
    'Stop.',
    ' stop!! ',
    '"STOP"',
    'S.T.O.P',
    's t o p',
    'STOP 🛑',
    '🛑STOP🛑',
    'stoppppp',
    'ＳＴＯＰ',
    'STOP\u200b',
    'stop stop stop',
    'STOPALL',
    'stop all',
    'UNSUBSCRIBE',
    'unsub',
    'unsuscribe',
    'cancel',
    'END',
    'quit',
    'REVOKE',
    'optout',
    'OPT-OUT',
    'opt out',
    'remove me',
    'Please stop',
    'stop please',
    'Stop now, thanks',
    'stop texting me',
    'Please stop texting this number',
    'STOP TEXTING',
    'quit messaging me',
    'stop sending me this',
    'do not text me again',
    "Don't text me",
    'Don’t contact me',
    'please take me off your list',
    'take my number off',
    'leave me alone',
    'Leave me alone!!',
    'unsubscribe me please',
    'no more texts',
    'No more messages please',
    'I want to opt out',
    'remove my number',
    'lose my number',
    'delete my number from your list',
    'wrong number',
    'You have the wrong number, sorry',
    "I don't want to receive these",
    'I do not wish to receive texts',
    'Who is this? STOP',
    'I already voted. Stop.',
    'Stop, I never signed up',
    'I’m not voting for him.\nstop',
    'fuck off',
    'go away',
    'ARRET',
    'arrêt',
    'Arrêtez',
    'désabonner',
    'arrêtez de m’écrire',
    'plus de messages svp',
    'ALTO',
    'parar',
    'Baja',
    'no más',
    'no me escriban más',
    'por favor dejen de escribirme',
    'no me manden mensajes',
    'PARE',
    'sair',
    'não quero receber mensagens',
    'me tire da lista',
    'acha',
    'Acheni!',
    'sitisha',
    'acha kunitumia ujumbe',
    'usinitumie ujumbe tena',
  ],
  start: ['START', 'start', 'Start!', 'UNSTOP', '(unstop)'],
  help: ['HELP', 'help!', 'Info', 'INFO please', 'ayuda', 'msaada'],
  'ambiguous-stop': [
    'is there a bus stop nearby',
    'I will stop by on Saturday',
    "Don't stop texting me",
    'how do I unsubscribe',
    'can you remove a sign from my yard',
    'cancel my shift',
    'the end',
    'I told you to stop',
    'you will hear from my lawyer',
    'do not call me',
    'sotp',
    'this is not the wrong number',
    'nataka kusitisha? sitisha labda',
    'Reply STOP to opt out',
  ],
  none: [
    '',
    '👍',
    '...',
    'yes',
    'YES',
    'Yes!',
    'no',
    'Nope',
    'maybe later',
    'Who is this?',
    'What time does it end on election day at the school',
    'I’m in',
    'start time?',
    'can you help me find my polling place',
    'nonstop fun',
    'the weekend works',
    'para mi familia si',
    'Liked “Hi Ana, this is Sam. Reply STOP to opt out”',
    'Loved "Will you vote? Reply STOP to end"',
    'Laughed at “Reply STOP to opt out”',
    'Disliked “STOP”',
    'Emphasized “Reply STOP to opt out.”',
    'Questioned “Reply STOP to opt out…',
    'Removed a heart from “Reply STOP to opt out”',
    'Reacted 👍 to “Reply STOP to opt out”',
    '👍 to “ Reply STOP to opt out ”',
    '\u200b❤️\u200b to “\u200aReply STOP to opt out\u200a”',
    'Liked an image',
    'Le gustó “Responda STOP para salir”',
    'A aimé « Répondez STOP pour vous désabonner »',
    '> Reply STOP to opt out\nyes I can come',
    '“Will you vote? Reply STOP to opt out.” Yes!',
  ],
} as const;

describe.each(Object.entries(CORPUS))('a reply of the kind %s', (kind, bodies) => {
  test.each([...bodies])('is "%s"', (body) => {
    expect(classifyReply(body).kind).toBe(kind);
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
