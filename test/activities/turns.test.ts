import { describe, expect, test } from 'vitest';
import { storeReports } from '../../db/reports.ts';
import type { Script } from '../../domain/script.ts';
import { withLedger } from '../support/ledger.ts';
import { startTalk, type Talk } from '../support/talk.ts';

const ledger = withLedger();

/** A link that has to arrive before the next question is asked. */
const LINK_SCRIPT: Script = {
  start: 'ask',
  steps: {
    ask: {
      text: 'Shall we send the link? Reply STOP to opt out.',
      answers: [{ key: 'yes', label: 'Yes', words: ['yes'], next: 'link' }],
    },
    link: { text: 'Here: example.org', waitFor: 'delivered', next: 'after' },
    after: { text: 'Did it arrive?', answers: [{ key: 'ok', label: 'Ok', words: ['ok'] }] },
  },
};

/** The same, but the question that leads to the link names a delivery too, which is allowed. */
const DOUBLE_WAIT_SCRIPT: Script = {
  start: 'start',
  steps: {
    ...LINK_SCRIPT.steps,
    start: {
      text: 'May we ask you something? Reply STOP to opt out.',
      answers: [{ key: 'yes', label: 'Yes', words: ['yes'], next: 'ask' }],
    },
    ask: {
      text: 'Shall we send the link?',
      waitFor: 'delivered',
      answers: [{ key: 'yes', label: 'Yes', words: ['yes'], next: 'link' }],
    },
  },
};

describe('a reply to a question', () => {
  async function heardAfter(state: string): Promise<Talk> {
    const talk = await startTalk(ledger());
    await talk.hear('yes');
    await talk.turn();
    await talk.settle('help_out', state);
    await talk.hear('yes');
    await talk.turn();
    return talk;
  }

  test.each(['planned', 'skipped', 'rejected', 'lost'])(
    'that is %s is no answer to it, and a person reads it',
    async (state) => {
      const talk = await heardAfter(state);
      expect(await talk.answers()).toEqual(['ask=yes']);
      expect(await talk.replies()).toEqual(['help_out']);
      expect(await talk.row()).toMatchObject({
        state: 'needs_reply',
        needs_reply_reason: 'question_not_sent',
        step: 'help_out',
      });
    },
  );

  test.each(['accepted', 'unknown'])('that is %s is the answer to it', async (state) => {
    const talk = await heardAfter(state);
    expect(await talk.answers()).toEqual(['ask=yes', 'help_out=yes']);
    expect(await talk.replies()).toEqual(['help_out', 'bye']);
  });
});

describe('a reply to a campaign that is over', () => {
  test.each(['finished', 'cancelled'])('because it was %s goes to a person', async (state) => {
    const talk = await startTalk(ledger());
    await ledger().database.query(
      'update campaign set state = $2::campaign_state where id = $1::uuid returning 1 as done',
      talk.campaignId,
      state,
    );
    await talk.hear('yes');
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'needs_reply', done: true });
    expect(await talk.row()).toMatchObject({ needs_reply_reason: 'campaign_over' });
    expect(await talk.replies()).toEqual([]);
  });
});

describe('more texts than one turn reads', () => {
  const FIFTY = Array.from({ length: 50 }, () => 'HELP');

  test('are read by the next turn, which comes at once', async () => {
    const talk = await startTalk(ledger());
    await talk.hear(...FIFTY, 'yes');
    expect(await talk.turn()).toMatchObject({ done: false, waitMs: 1 });
    expect(await talk.row()).toMatchObject({ handled_seq: 50, arrival_seq: 51 });
    expect(await talk.answers()).toEqual([]);
    await talk.turn();
    expect(await talk.row()).toMatchObject({ handled_seq: 51, arrival_seq: 51 });
    expect(await talk.answers()).toEqual(['ask=yes']);
  });

  test.each([
    ['who is this?', 'needs_reply'],
    ['no', 'closed'],
  ])('are read though “%s” among the first ended the script', async (body, state) => {
    const talk = await startTalk(ledger());
    await talk.hear(body, ...FIFTY.slice(1), 'hello?');
    expect(await talk.turn()).toMatchObject({ state, done: false, waitMs: 1 });
    expect(await talk.turn()).toMatchObject({ state: 'needs_reply', done: true });
    expect(await talk.row()).toMatchObject({ handled_seq: 51 });
  });
});

describe('a text that is waited for', () => {
  /** The text of the step that follows a yes is out and its delivery is waited for. */
  async function startWaiting(
    script: Script,
    step: string,
  ): Promise<Talk & { readonly deliver: () => Promise<void> }> {
    const talk = await startTalk(ledger(), script);
    await talk.hear('yes');
    const { sendIds } = await talk.turn();
    const [messageId = ''] = sendIds;
    await talk.settle(step, 'accepted');
    const { accountId, orgId } = ledger();
    return {
      ...talk,
      deliver: async () => {
        await storeReports(ledger().database, [
          {
            accountId,
            orgId,
            messageId,
            providerMessageId: `SM${messageId.replaceAll('-', '')}`,
            status: 'delivered',
            errorCode: null,
          },
        ]);
      },
    };
  }

  test('leads on when its delivery and a HELP come within one turn', async () => {
    const talk = await startWaiting(LINK_SCRIPT, 'link');
    await talk.deliver();
    await talk.hear('HELP');
    expect((await talk.turn()).sendIds).toHaveLength(1);
    expect(await talk.replies()).toEqual(['link', 'after']);
    expect(await talk.row()).toMatchObject({ step: 'after', state: 'automatic' });
  });

  test('leads nowhere when its delivery and a STOP come within one turn', async () => {
    const talk = await startWaiting(LINK_SCRIPT, 'link');
    await talk.deliver();
    await talk.hear('STOP');
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'closed' });
    expect(await talk.replies()).toEqual(['link']);
  });

  test('leads nowhere when a person has to read what came before its delivery', async () => {
    const talk = await startWaiting(LINK_SCRIPT, 'link');
    await talk.deliver();
    await talk.hear('who is this?');
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'needs_reply' });
    expect(await talk.replies()).toEqual(['link']);
  });

  test('does not lead on by the delivery of the text before it', async () => {
    const talk = await startWaiting(DOUBLE_WAIT_SCRIPT, 'ask');
    await talk.deliver();
    await talk.hear('yes');
    expect((await talk.turn()).sendIds).toHaveLength(1);
    expect(await talk.replies()).toEqual(['ask', 'link']);
    expect(await talk.row()).toMatchObject({ step: 'link', state: 'automatic' });
  });
});

test('the reason why a person has to reply survives the texts that follow', async () => {
  const talk = await startTalk(ledger());
  await talk.hear('who is this?');
  await talk.turn();
  expect(await talk.row()).toMatchObject({ needs_reply_reason: 'unclear' });
  for (const body of ['yes', 'HELP']) {
    await talk.hear(body);
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'needs_reply' });
    expect(await talk.row()).toMatchObject({ state: 'needs_reply', needs_reply_reason: 'unclear' });
  }
});
