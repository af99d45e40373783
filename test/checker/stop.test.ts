import { expect, test } from 'vitest';
import { judgeStop } from './judges/stop.ts';
import {
  aCall,
  aCreate,
  aMessage,
  aStoredText,
  aText,
  NOON,
  PERSON,
  someFacts,
  type Given,
} from './some-facts.ts';

/** The stop came in at NOON and was acknowledged 10 ms later. */
const stop = aText({ keyword: 'stop' });
const stored = aStoredText();
const later = aCreate({ receivedAtMs: NOON + 1_000 });
const suppress = aCall({ action: 'suppress', campaignId: null, address: PERSON, status: 201 });

const green: [title: string, given: Given][] = [
  [
    'a text before the stop',
    {
      inbound: [stop],
      creates: [aCreate({ receivedAtMs: NOON - 1 })],
      messages: [aMessage(), stored],
    },
  ],
  [
    'a text on the wire when the stop came',
    {
      inbound: [stop],
      creates: [aCreate({ receivedAtMs: NOON + 5 })],
      messages: [aMessage(), stored],
    },
  ],
  [
    'a text within the tolerance of clocks',
    {
      inbound: [stop],
      creates: [aCreate({ receivedAtMs: NOON + 50 })],
      messages: [aMessage(), stored],
    },
  ],
  [
    'the confirmation of the stop',
    {
      inbound: [stop],
      creates: [later],
      messages: [aMessage({ purpose: 'stop_confirmation' }), stored],
    },
  ],
  [
    'a text to another person',
    {
      inbound: [stop],
      creates: [{ ...later, to: '+13125550199' }],
      messages: [aMessage(), stored],
    },
  ],
  [
    'a text of another org',
    { inbound: [stop], creates: [later], messages: [aMessage(), aStoredText({ orgId: 'org-2' })] },
  ],
  [
    'a text after the person came back',
    {
      inbound: [stop, aText({ sid: 'SM10', keyword: 'start', atMs: NOON + 500 })],
      creates: [later],
      messages: [aMessage(), stored],
    },
  ],
  [
    'a text after a stop that we did not acknowledge',
    { inbound: [{ ...stop, ackedAtMs: null }], creates: [later], messages: [aMessage(), stored] },
  ],
  [
    'a text during a pause that was refused',
    { calls: [aCall({ status: 409 })], creates: [later], messages: [aMessage()] },
  ],
  [
    'a text after the resume was asked for',
    {
      calls: [aCall(), aCall({ action: 'resume', sentAtMs: NOON + 900, atMs: NOON + 950 })],
      creates: [later],
      messages: [aMessage()],
    },
  ],
  [
    'a text after a resume that was not answered',
    {
      calls: [
        aCall(),
        aCall({ action: 'resume', sentAtMs: NOON + 900, atMs: NOON + 9_000, status: null }),
      ],
      creates: [later],
      messages: [aMessage()],
    },
  ],
  [
    'a person who answers during a pause',
    { calls: [aCall()], creates: [later], messages: [aMessage({ purpose: 'human_reply' })] },
  ],
  [
    'a text of another campaign',
    { calls: [aCall()], creates: [later], messages: [aMessage({ campaignId: 'campaign-2' })] },
  ],
  [
    'a text after the suppression was lifted',
    {
      calls: [
        suppress,
        aCall({ action: 'lift', address: PERSON, sentAtMs: NOON + 800, atMs: NOON + 900 }),
      ],
      creates: [later],
      messages: [aMessage()],
    },
  ],
];

const red: [title: string, given: Given][] = [
  ['a text after the stop', { inbound: [stop], creates: [later], messages: [aMessage(), stored] }],
  [
    'a request that was refused, after the stop',
    {
      inbound: [stop],
      creates: [{ ...later, sid: null, answer: 429 }],
      messages: [aMessage(), stored],
    },
  ],
  [
    'a text between the stop and the return',
    {
      inbound: [stop, aText({ sid: 'SM10', keyword: 'start', atMs: NOON + 5_000 })],
      creates: [later],
      messages: [aMessage(), stored],
    },
  ],
  ['a text after the suppression', { calls: [suppress], creates: [later], messages: [aMessage()] }],
  ['a text after the pause', { calls: [aCall()], creates: [later], messages: [aMessage()] }],
  [
    'a text between pause and resume',
    {
      calls: [aCall(), aCall({ action: 'resume', sentAtMs: NOON + 2_000, atMs: NOON + 2_100 })],
      creates: [later],
      messages: [aMessage()],
    },
  ],
  [
    'a text after the cancel, whatever was resumed',
    {
      calls: [
        aCall({ action: 'cancel' }),
        aCall({ action: 'resume', sentAtMs: NOON + 700, atMs: NOON + 750 }),
      ],
      creates: [later],
      messages: [aMessage()],
    },
  ],
  [
    'a person who answers after the cancel',
    {
      calls: [aCall({ action: 'cancel' })],
      creates: [later],
      messages: [aMessage({ purpose: 'human_reply' })],
    },
  ],
];

test.each(green)('accepts %s', (_title, given) => {
  expect(judgeStop(someFacts(given))).toMatchObject({ ok: true, examples: [] });
});

test.each(red)('refuses %s', (_title, given) => {
  expect(judgeStop(someFacts(given)).violations).toBe(1);
});

test('counts what was in flight, and names nobody', () => {
  const verdict = judgeStop(
    someFacts({
      inbound: [stop],
      creates: [aCreate({ receivedAtMs: NOON + 5 }), later],
      messages: [aMessage(), stored],
    }),
  );
  expect(verdict.figures).toMatchObject({
    'in flight at that moment': 1,
    'latest start after it (ms)': 990,
  });
  expect(verdict.examples).toEqual(['m1 started 990 ms after our 2xx to the stop of …0101']);
});
