import { expect, test } from 'vitest';
import { parseDemoArgs } from '../../cli/demo-args.ts';
import { spreadRate } from '../../cli/demo-run.ts';

test('without arguments the demo uses the example file at 200 segments a second', () => {
  expect(parseDemoArgs([], '/home/me')).toEqual({
    contacts: null,
    size: null,
    rate: 200,
    keep: false,
    exit: false,
    help: false,
  });
});

test('a file is found from where the user stands', () => {
  expect(parseDemoArgs(['--contacts', 'people.csv'], '/home/me').contacts).toBe(
    '/home/me/people.csv',
  );
});

test.each([
  [['--size', '0'], '--size must be'],
  [['--size', '1.5'], '--size must be'],
  [['--size', 'many'], '--size must be'],
  [['--rate', '2001'], '--rate must be'],
  [['--size', '5', '--contacts', 'a.csv'], 'not both'],
  [['--keep', '--exit'], 'not both'],
  [['--sise', '5'], '--sise'],
])('%j is refused', (args, message) => {
  expect(() => parseDemoArgs(args, '/')).toThrow(message);
});

test('every wrong argument is named at once', () => {
  expect(() => parseDemoArgs(['--size', 'x', '--rate', 'y'], '/')).toThrow(/--size[^]*--rate/);
});

test.each([
  [200, { senders: 20, segmentsPerSecond: 10 }],
  [50, { senders: 20, segmentsPerSecond: 2.5 }],
  [3, { senders: 3, segmentsPerSecond: 1 }],
  [1, { senders: 1, segmentsPerSecond: 1 }],
])('a rate of %i is spread over senders of at least one segment a second', (rate, expected) => {
  expect(spreadRate(rate)).toEqual(expected);
});
