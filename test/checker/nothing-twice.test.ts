import { expect, test } from 'vitest';
import { judgeNothingTwice } from './judges/nothing-twice.ts';
import {
  aCampaign,
  aCreate,
  aMessage,
  aRefusal,
  aStoredText,
  someFacts,
  type Given,
} from './some-facts.ts';

const again = aMessage({ id: 'm2', retryOf: 'm1', providerMessageId: 'SM2' });
const bothCreated = [aCreate(), aCreate({ n: 2, sid: 'SM2', messageId: 'm2' })];

const green: [title: string, given: Given][] = [
  ['one create for one row', { creates: [aCreate()], messages: [aMessage()] }],
  [
    'a request after a definite no',
    { creates: [aRefusal(429), aCreate({ n: 2 })], messages: [aMessage()] },
  ],
  [
    'a second try where the first one created nothing',
    {
      creates: [aRefusal(null), aCreate({ n: 2, sid: 'SM2', messageId: 'm2' })],
      messages: [aMessage({ state: 'lost', providerMessageId: null }), again],
    },
  ],
  [
    'a second text under at_least_once',
    {
      creates: bothCreated,
      messages: [aMessage({ state: 'lost' }), again],
      campaigns: [aCampaign({ policy: 'at_least_once' })],
    },
  ],
  [
    'a second text after the carrier could not reach the handset',
    { creates: bothCreated, messages: [aMessage({ errorCode: 30003 }), again] },
  ],
  [
    'an answer for each text that came in',
    {
      creates: bothCreated,
      messages: [
        aMessage({ purpose: 'auto_reply' }),
        aMessage({ id: 'm2', purpose: 'auto_reply', providerMessageId: 'SM2' }),
        aStoredText(),
        aStoredText({ id: 'i2', providerMessageId: 'SM8' }),
      ],
    },
  ],
];

const red: [title: string, given: Given][] = [
  [
    'two creates for one row',
    { creates: [aCreate(), aCreate({ n: 2, sid: 'SM2' })], messages: [aMessage()] },
  ],
  ...([null, 500, 503] as const).map((answer): [string, Given] => [
    `a request after an outcome that is not known (${answer})`,
    { creates: [aRefusal(answer), aCreate({ n: 2 })], messages: [aMessage()] },
  ]),
  ['a create that names no message', { creates: [aCreate({ messageId: null })] }],
  [
    'two rows of one cause',
    { creates: bothCreated, messages: [aMessage(), { ...again, retryOf: null }] },
  ],
  [
    'a second text although the first was created after all',
    { creates: bothCreated, messages: [aMessage({ state: 'lost' }), again] },
  ],
  [
    'a second text under at_most_once',
    {
      creates: bothCreated,
      messages: [aMessage({ state: 'lost' }), again],
      campaigns: [aCampaign({ policy: 'at_most_once' })],
    },
  ],
  [
    'more answers of one step than texts that came in',
    {
      creates: bothCreated,
      messages: [
        aMessage({ purpose: 'auto_reply' }),
        aMessage({ id: 'm2', purpose: 'auto_reply', providerMessageId: 'SM2' }),
      ],
    },
  ],
  [
    'two confirmations of one stop',
    {
      creates: bothCreated,
      messages: [
        aMessage({ purpose: 'stop_confirmation', campaignId: null }),
        aMessage({ id: 'm2', purpose: 'stop_confirmation', providerMessageId: 'SM2' }),
        aStoredText(),
      ],
    },
  ],
];

test.each(green)('accepts %s', (_title, given) => {
  expect(judgeNothingTwice(someFacts(given))).toMatchObject({ ok: true, examples: [] });
});

test.each(red)('refuses %s', (_title, given) => {
  expect(judgeNothingTwice(someFacts(given)).violations).toBe(1);
});
