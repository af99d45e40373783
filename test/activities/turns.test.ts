import { describe, expect, test } from 'vitest';
import { createConversationActivities, type TurnResult } from '../../activities/conversations.ts';
import { newId } from '../../db/ids.ts';
import { storeInbound } from '../../db/inbound.ts';
import { storeReports } from '../../db/reports.ts';
import type { Script } from '../../domain/script.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { TEST_SCRIPT, withLedger } from '../support/ledger.ts';

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

interface Talk {
  readonly campaignId: string;
  /** Texts as webhooks bring them, all at once. */
  hear(...bodies: readonly string[]): Promise<void>;
  turn(): Promise<TurnResult>;
  /** What became of the last text of this step. */
  settle(step: string, state: string): Promise<void>;
  row(): Promise<Record<string, unknown>>;
  answers(): Promise<string[]>;
  replies(): Promise<string[]>;
}

/** A person whose first text was accepted. */
async function startTalk(script: Script = TEST_SCRIPT): Promise<Talk> {
  const { database, accountId, orgId, senders } = ledger();
  const campaign = await ledger().addCampaign({ script });
  const [person = { conversationId: '', messageId: '', address: '' }] = campaign.people;
  const { conversationId, address } = person;
  const [sender = { id: '', e164: '' }] = senders;
  await database.query(
    `update message set state = 'accepted', accepted_at = now(), provider_message_id = $2, sender = $3, sender_id = $4::uuid where id = $1::uuid returning 1 as done`,
    person.messageId,
    `SM${person.messageId.replaceAll('-', '')}`,
    sender.e164,
    sender.id,
  );
  await database.query(
    `insert into conversation_route (account_id, sender, address, org_id, conversation_id, last_out_at)
     values ($1::uuid, $2, $3, $4::uuid, $5::uuid, now()) returning 1 as done`,
    accountId,
    sender.e164,
    address,
    orgId,
    conversationId,
  );
  const { takeTurn } = createConversationActivities(
    createActivityDeps(ledger(), createScriptedProvider()),
  );
  return {
    campaignId: campaign.id,
    hear: async (...bodies) => {
      await storeInbound(
        database,
        bodies.map((body) => ({
          accountId,
          orgId,
          orgName: 'Test Org',
          providerMessageId: `SM${newId().replaceAll('-', '')}`,
          address,
          sender: sender.e164,
          body,
          media: [],
          providerKeyword: null,
          receivedAt: new Date(),
          timed: true,
        })),
      );
    },
    turn: () => takeTurn({ conversationId }),
    settle: async (step, state) => {
      await database.query(
        `update message set state = $3::message_state, reason = 'a test', provider_message_id = 'SM' || replace(id::text, '-', ''), lease_until = now(),
                accepted_at = case when $3 = 'accepted' then now() end
          where conversation_id = $1::uuid and step = $2 returning 1 as done`,
        conversationId,
        step,
        state,
      );
    },
    row: async () => {
      const [row] = await database.query<Record<string, unknown>>(
        `select state::text as state, step, needs_reply_reason, handled_seq, arrival_seq from conversation where id = $1::uuid`,
        conversationId,
      );
      return row ?? {};
    },
    answers: async () => {
      const rows = await database.query<{ answer: string }>(
        `select step || '=' || answer as answer from answer_event where conversation_id = $1::uuid order by visit`,
        conversationId,
      );
      return rows.map((row) => row.answer);
    },
    replies: async () => {
      const rows = await database.query<{ step: string }>(
        `select step from message where conversation_id = $1::uuid and purpose = 'auto_reply' order by created_at, id`,
        conversationId,
      );
      return rows.map((row) => row.step);
    },
  };
}

describe('a reply to a question', () => {
  async function heardAfter(state: string): Promise<Talk> {
    const talk = await startTalk();
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
    const talk = await startTalk();
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
    const talk = await startTalk();
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
    const talk = await startTalk();
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
    const talk = await startTalk(script);
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
  const talk = await startTalk();
  await talk.hear('who is this?');
  await talk.turn();
  expect(await talk.row()).toMatchObject({ needs_reply_reason: 'unclear' });
  for (const body of ['yes', 'HELP']) {
    await talk.hear(body);
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'needs_reply' });
    expect(await talk.row()).toMatchObject({ state: 'needs_reply', needs_reply_reason: 'unclear' });
  }
});
