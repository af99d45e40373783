import { describe, expect, test } from 'vitest';
import { storeReports } from '../../db/reports.ts';
import { withLedger } from '../support/ledger.ts';
import { startTalk } from '../support/talk.ts';

const ledger = withLedger();

describe('a turn', () => {
  test('records the answer and plans the next question', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('Yes!');
    const result = await talk.turn();
    expect(result.sendIds).toHaveLength(1);
    expect(result).toMatchObject({ state: 'automatic', done: false });
    expect(await talk.answers()).toEqual(['ask=yes']);
    expect(await talk.replies()).toEqual(['help_out']);
    expect(
      await ledger().count(
        `tagging where conversation_id = $1::uuid and tag = 'voter'`,
        talk.conversationId,
      ),
    ).toBe(1);
  });

  test('that is rung again, or by many at once, plans nothing twice', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('yes');
    const results = await Promise.all([talk.turn(), talk.turn(), talk.turn(), talk.turn()]);
    expect(new Set(results.flatMap((result) => result.sendIds)).size).toBe(1);
    expect(await talk.replies()).toEqual(['help_out']);
    expect(await talk.answers()).toEqual(['ask=yes']);
  });

  test('takes the first of several texts as the answer, and hands over one that came before its question', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('yes');
    await talk.hear('yes!');
    await talk.turn();
    expect(await talk.answers()).toEqual(['ask=yes']);
    expect(await talk.row()).toMatchObject({
      state: 'needs_reply',
      needs_reply_reason: 'question_not_sent',
      handled_seq: 2,
    });
  });

  test('hands a reply to a finished campaign to a person', async () => {
    const talk = await startTalk(ledger());
    await ledger().database.query(
      `update campaign set state = 'finished' where id = (select campaign_id from message where id = $1::uuid) returning 1 as done`,
      talk.messageId,
    );
    await talk.hear('yes');
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'needs_reply' });
    expect(await talk.row()).toMatchObject({ needs_reply_reason: 'campaign_over' });
  });

  test('visits a step twice and keeps both answers', async () => {
    const talk = await startTalk(ledger());
    for (const body of ['yes', 'again', 'no']) {
      await talk.hear(body);
      await talk.turn();
      await talk.sent();
    }
    expect(await talk.answers()).toEqual(['ask=yes', 'help_out=again', 'ask=no']);
    expect(
      await ledger().count(
        `answer_current where conversation_id = $1::uuid and step = 'ask' and answer = 'no'`,
        talk.conversationId,
      ),
    ).toBe(1);
  });

  test('hands an unclear reply to a person and stays silent', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('who is this?');
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'needs_reply', done: true });
    expect(await talk.row()).toMatchObject({ needs_reply_reason: 'unclear', step: 'ask' });
    await talk.hear('yes');
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'needs_reply' });
  });

  test('hands a possible stop to a person', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('please don’t stop the good work');
    await talk.turn();
    expect(await talk.row()).toMatchObject({
      state: 'needs_reply',
      needs_reply_reason: 'may_be_a_stop',
    });
  });

  test('ends the script at a stop', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('STOP');
    expect(await talk.turn()).toMatchObject({ sendIds: [], state: 'closed', done: true });
    expect(await talk.replies()).toEqual([]);
  });

  test('leaves the question standing after a help', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('HELP');
    await talk.turn();
    expect(await talk.row()).toMatchObject({ state: 'automatic', step: 'ask' });
    await talk.hear('no');
    await talk.turn();
    expect(await talk.answers()).toEqual(['ask=no']);
  });

  test('suppresses the person when the answer means "never"', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('never');
    await talk.turn();
    expect(await ledger().count(`suppression where source = 'script' and lifted_at is null`)).toBe(
      1,
    );
  });

  test('opens a closed conversation again', async () => {
    const talk = await startTalk(ledger());
    await talk.hear('no');
    await talk.turn();
    expect(await talk.row()).toMatchObject({ state: 'closed' });
    await talk.hear('Actually, yes');
    expect(await talk.turn()).toMatchObject({ state: 'needs_reply' });
    expect(await talk.row()).toMatchObject({ needs_reply_reason: 'after_the_script' });
  });
});

test('a step that waits for its delivery goes on when the report came, and a report rings it', async () => {
  const talk = await startTalk(ledger(), {
    start: 'ask',
    steps: {
      ask: {
        text: 'Shall we send the link? Reply STOP to opt out.',
        answers: [{ key: 'yes', label: 'Yes', words: ['yes'], next: 'link' }],
      },
      link: { text: 'Here: example.org', waitFor: 'delivered', next: 'after' },
      after: { text: 'Did it arrive?', answers: [{ key: 'ok', label: 'Ok', words: ['ok'] }] },
    },
  });
  await talk.hear('yes');
  const first = await talk.turn();
  const [linkId = ''] = first.sendIds;
  expect(await talk.replies()).toEqual(['link']);
  const early = await talk.turn();
  expect(early.sendIds).toEqual([linkId]);
  await ledger().database.query('delete from outbox returning 1 as done');
  await storeReports(ledger().database, [
    {
      accountId: ledger().accountId,
      orgId: ledger().orgId,
      messageId: linkId,
      providerMessageId: `SM${'f'.repeat(32)}`,
      status: 'delivered',
      errorCode: null,
    },
  ]);
  expect(
    await ledger().count(
      `outbox where kind = 'ring_conversation' and ref_id = $1::uuid`,
      talk.conversationId,
    ),
  ).toBe(1);
  const next = await talk.turn();
  expect(next.sendIds).toHaveLength(1);
  expect(await talk.row()).toMatchObject({ step: 'after', state: 'automatic' });
});
