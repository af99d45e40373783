import { describe, expect, test } from 'vitest';
import { judgeBounds } from './judges/bounds.ts';
import { judgeNothingLost } from './judges/nothing-lost.ts';
import { aCampaign, aCreate, aMessage, ORG, PERSON, someFacts, type Given } from './some-facts.ts';

const healed = { healed: true };

const green: [title: string, given: Given][] = [
  ['an accepted text with its create', { creates: [aCreate()], messages: [aMessage()] }],
  [
    'rows that were never sent, without a create',
    {
      messages: ['rejected', 'skipped', 'lost', 'unknown'].map((state) =>
        aMessage({ id: state, state, providerMessageId: null }),
      ),
      expectations: healed,
    },
  ],
  [
    'an unknown text that was created: it is listed for people',
    { creates: [aCreate()], messages: [aMessage({ state: 'unknown' })], expectations: healed },
  ],
  ['a planned text while the run goes on', { messages: [aMessage({ state: 'planned' })] }],
  [
    'a planned text whose pool is live',
    {
      messages: [aMessage({ state: 'planned' })],
      expectations: { liveWorkflows: new Set(['sender-pool/pool-1']) },
    },
  ],
  [
    'a planned text whose doorbell still has to ring',
    {
      messages: [aMessage({ state: 'planned', driver: 'conversation' })],
      ledger: { doorbells: new Set(['ring_conversation contact-1']) },
      expectations: { liveWorkflows: new Set() },
    },
  ],
  [
    'a planned text that a pause holds, also after the heal',
    {
      messages: [aMessage({ state: 'planned' })],
      campaigns: [aCampaign({ state: 'paused' })],
      expectations: healed,
    },
  ],
  [
    'contacts that a cancelled campaign never planned',
    {
      campaigns: [aCampaign({ state: 'cancelled', waiting: 5 })],
      expectations: healed,
    },
  ],
];

const red: [title: string, given: Given][] = [
  ['an accepted text that nobody created', { messages: [aMessage()] }],
  [
    'an accepted text that was created under another id',
    { creates: [aCreate({ sid: 'SM2' })], messages: [aMessage()] },
  ],
  ['a create whose message has no row', { creates: [aCreate()] }],
  ...['planned', 'skipped', 'rejected'].map((state): [string, Given] => [
    `a text called ${state} that was created`,
    { creates: [aCreate()], messages: [aMessage({ state })] },
  ]),
  [
    'a text called lost that was created, after the heal',
    { creates: [aCreate()], messages: [aMessage({ state: 'lost' })], expectations: healed },
  ],
  ...['planned', 'sending'].map((state): [string, Given] => [
    `a text that is still ${state} after the heal`,
    { messages: [aMessage({ state, providerMessageId: null })], expectations: healed },
  ]),
  [
    'a planned text that nothing will take up',
    {
      messages: [aMessage({ state: 'planned' })],
      expectations: { liveWorkflows: new Set(['sender-pool/another']) },
    },
  ],
  ['contacts that the cursor passed over', { campaigns: [aCampaign({ passedOver: 2 })] }],
  [
    'contacts without a text in a finished campaign',
    { campaigns: [aCampaign({ state: 'finished', waiting: 1 })] },
  ],
  [
    'contacts that wait in open hours, after the heal',
    { campaigns: [aCampaign({ waiting: 1, waitingOpen: 1 })], expectations: healed },
  ],
  ['an audience that was counted otherwise', { campaigns: [aCampaign({ audience: 2 })] }],
  [
    'replies that no turn dealt with, after the heal',
    { ledger: { unheardConversations: ['contact-1'] }, expectations: healed },
  ],
];

describe('nothing is lost', () => {
  test.each(green)('accepts %s', (_title, given) => {
    expect(judgeNothingLost(someFacts(given))).toMatchObject({ ok: true, examples: [] });
  });

  test.each(red)('refuses %s', (_title, given) => {
    expect(judgeNothingLost(someFacts(given)).violations).toBeGreaterThan(0);
  });

  test('counts every contact that was passed over', () => {
    const facts = someFacts({ campaigns: [aCampaign({ passedOver: 7 })] });
    expect(judgeNothingLost(facts)).toMatchObject({
      violations: 7,
      examples: [expect.any(String)],
    });
  });
});

describe('bounds', () => {
  const bounds = {
    kills: 2,
    sockets: 1,
    unknownShare: 0.5,
    withoutCreateShare: 0.1,
    acceptedShare: 0.98,
  };
  const row = (id: string, part: Parameters<typeof aMessage>[0] = {}) =>
    aMessage({ id, conversationId: id, ...part });

  test('are judged only where they are given', () => {
    expect(judgeBounds(someFacts({}))).toBeNull();
  });

  test('leave people out who stopped, and what an admin cancelled', () => {
    const messages = [
      row('a'),
      row('b', { state: 'skipped', reason: 'opted_out' }),
      row('c', { state: 'skipped', reason: 'cancelled', address: '+13125550102' }),
      row('d', { address: '+13125550103' }),
    ];
    const ledger = { suppressed: new Set([`${ORG} ${PERSON}`]) };
    const verdict = judgeBounds(someFacts({ messages, ledger, expectations: { bounds } }));
    expect(verdict).toMatchObject({ ok: true, figures: { 'to people who did not stop': 1 } });
  });

  test('count a text as accepted when any of its tries was', () => {
    const messages = [
      row('a', { state: 'lost', providerMessageId: null }),
      aMessage({ id: 'b', conversationId: 'a', retryOf: 'a' }),
    ];
    const loose = { ...bounds, withoutCreateShare: 1 };
    expect(judgeBounds(someFacts({ messages, expectations: { bounds: loose } }))?.ok).toBe(true);
  });

  test.each([
    ['more unknown texts than kills could have left', ['unknown', 'unknown', 'unknown', 'unknown']],
    ['too many without a create', ['lost', 'accepted']],
    ['too few accepted', ['skipped', 'accepted']],
  ])('refuse %s', (_title, states) => {
    const messages = states.map((state, index) => row(String(index), { state }));
    const verdict = judgeBounds(someFacts({ messages, expectations: { bounds } }));
    expect(verdict?.violations).toBeGreaterThan(0);
  });
});
