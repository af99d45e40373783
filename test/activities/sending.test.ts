import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import { createMaintenanceActivities } from '../../activities/maintenance.ts';
import {
  createSendingActivities,
  type SendMessageOutcome,
  type SendPlannedResult,
} from '../../activities/sending.ts';
import { newId } from '../../db/ids.ts';
import type {
  MessagingProvider,
  RemoteText,
  SendOutcome,
} from '../../providers/messaging-provider.ts';
import { twilioErrorRule } from '../../providers/twilio-errors.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { withLedger } from '../support/ledger.ts';
import { waitUntil } from '../support/wait-until.ts';

const ledger = withLedger();

function sending(provider: MessagingProvider) {
  const activities = createSendingActivities(createActivityDeps(ledger(), provider));
  return {
    sendPlanned: (): Promise<SendPlannedResult> =>
      new MockActivityEnvironment().run(() => activities.sendPlanned({ poolId: ledger().poolId })),
    sendMessage: (messageId: string): Promise<SendMessageOutcome> =>
      new MockActivityEnvironment().run(() => activities.sendMessage({ messageId })),
  };
}

function answering(outcome: SendOutcome): MessagingProvider {
  return createScriptedProvider({ send: async () => outcome });
}

async function view(messageId: string): Promise<Record<string, unknown>> {
  const [row] = await ledger().database.query<Record<string, unknown>>(
    `select state::text as state, reason, error_code, attempt, driver::text as driver, try from message where id = $1::uuid`,
    messageId,
  );
  return row ?? {};
}

describe('a slice of a pool', () => {
  test('posts each planned text once and lets the pool fall asleep', async () => {
    const campaign = await ledger().addCampaign({ people: 120 });
    const provider = createScriptedProvider();
    await ledger().database.query('update sender_pool set awake = true returning 1 as done');
    expect(await sending(provider).sendPlanned()).toEqual({ asleep: true, waitMs: 0 });
    expect(provider.sent).toHaveLength(120);
    expect(new Set(provider.sent.map((text) => text.to)).size).toBe(120);
    expect(
      await ledger().count(
        `message where campaign_id = $1::uuid and state = 'accepted'`,
        campaign.id,
      ),
    ).toBe(120);
    expect(await ledger().count('sender_pool where not awake')).toBe(1);
  });

  test('starts one text of each sender, and no more before its rate allows it, whatever its bucket saved', async () => {
    await ledger().addCampaign({ people: 30 });
    for (const sender of ledger().senders) {
      await ledger().database.query(
        `insert into permit_bucket (kind, ref_id, segments_per_second, burst, tokens) values ('sender', $1::uuid, 0.001, 5, 5)
         on conflict (kind, ref_id) do update set tokens = 5, segments_per_second = 0.001 returning 1 as done`,
        sender.id,
      );
    }
    const provider = createScriptedProvider();
    const { asleep } = await sending(provider).sendPlanned();
    const sent = provider.sent.length;
    await ledger().database.query('delete from permit_bucket returning 1 as done');
    await sending(createScriptedProvider()).sendPlanned();
    expect(sent).toBe(ledger().senders.length);
    expect(asleep).toBe(false);
  });

  test('hands back a text whose right to post had ended before a byte was written', async () => {
    const campaign = await ledger().addCampaign();
    const id = campaign.people[0]?.messageId ?? '';
    let tries = 0;
    const provider = createScriptedProvider({
      send: async () => {
        tries += 1;
        return tries === 1
          ? { kind: 'not-started', detail: 'too late' }
          : { kind: 'accepted', providerMessageId: `SM${'a'.repeat(32)}`, from: null };
      },
    });
    await waitUntil(
      async () => {
        await sending(provider).sendPlanned();
        return (await view(id))['state'] === 'accepted';
      },
      { what: 'the second claim' },
    );
    expect(await view(id)).toMatchObject({ state: 'accepted', attempt: 2 });
  });
});

describe('what an outcome does to the row', () => {
  test.each([
    [
      'a refusal for good',
      { kind: 'refused', rule: twilioErrorRule(21211), detail: 'bad number', retryAfterMs: null },
      { state: 'rejected', error_code: 21211 },
    ],
    [
      'an unknown outcome',
      { kind: 'unknown', detail: 'socket cut', httpStatus: null },
      { state: 'unknown', reason: 'socket cut' },
    ],
    [
      'a 429',
      { kind: 'refused', rule: twilioErrorRule(20429), detail: 'slow', retryAfterMs: 60_000 },
      { state: 'planned', error_code: 20429 },
    ],
  ] as const)('%s', async (_name, outcome, expected) => {
    const campaign = await ledger().addCampaign();
    const id = campaign.people[0]?.messageId ?? '';
    await sending(answering(outcome)).sendPlanned();
    expect(await view(id)).toMatchObject(expected);
  });

  test('a 21610 is adopted as an opt-out that we missed', async () => {
    const campaign = await ledger().addCampaign();
    await sending(
      answering({
        kind: 'refused',
        rule: twilioErrorRule(21610),
        detail: 'stopped',
        retryAfterMs: null,
      }),
    ).sendPlanned();
    expect(
      await ledger().count(
        `suppression where address = $1 and source = 'provider'`,
        campaign.people[0]?.address,
      ),
    ).toBe(1);
  });
});

describe('a conversation’s own send', () => {
  test('posts a planned text, and a second time does not', async () => {
    const campaign = await ledger().addCampaign({ driver: 'conversation' });
    const id = campaign.people[0]?.messageId ?? '';
    const provider = createScriptedProvider();
    expect(await sending(provider).sendMessage(id)).toBe('accepted');
    expect(await sending(provider).sendMessage(id)).toBe('settled');
    expect(provider.sent).toHaveLength(1);
  });

  test('never posts a row that an earlier attempt left in sending', async () => {
    const campaign = await ledger().addCampaign({ driver: 'conversation' });
    const id = campaign.people[0]?.messageId ?? '';
    await ledger().database.query(
      `update message set state = 'sending', sender = '+12125550101', claimed_at = now(), lease_until = now() + interval '1 hour' where id = $1::uuid returning 1 as done`,
      id,
    );
    const provider = createScriptedProvider();
    expect(await sending(provider).sendMessage(id)).toBe('settled');
    expect(provider.sent).toEqual([]);
  });

  test('is handed to the pool while its campaign is paused', async () => {
    const campaign = await ledger().addCampaign({ driver: 'conversation', state: 'paused' });
    const id = campaign.people[0]?.messageId ?? '';
    const provider = createScriptedProvider();
    expect(await sending(provider).sendMessage(id)).toBe('queued');
    expect(await view(id)).toMatchObject({ state: 'planned', driver: 'pool' });
    expect(provider.sent).toEqual([]);
  });
});

describe('reconcile', () => {
  async function lostAnswer(
    policy: string,
  ): Promise<{ id: string; address: string; body: string }> {
    const campaign = await ledger().addCampaign({ policy });
    const [person = { messageId: '', address: '' }] = campaign.people;
    await ledger().database.query(
      `update message set state = 'sending', attempt = 1, sender = '+12125550101', claimed_at = now() - interval '40 s', lease_until = now() - interval '20 s'
        where id = $1::uuid returning 1 as done`,
      person.messageId,
    );
    return {
      id: person.messageId,
      address: person.address,
      body: 'Hi Ada, will you vote? Reply STOP to opt out.',
    };
  }

  function reconcile(listed: readonly RemoteText[]): Promise<unknown> {
    const provider = createScriptedProvider({
      listSent: async (_account, { to }) => ({
        items: listed.filter((text) => text.to === to),
        nextPage: null,
      }),
    });
    const { reconcile: run } = createMaintenanceActivities(createActivityDeps(ledger(), provider));
    return new MockActivityEnvironment().run(run);
  }

  function remote(text: { address: string; body: string }): RemoteText {
    return {
      providerMessageId: `SM${newId().replaceAll('-', '')}`,
      from: '+12125550101',
      to: text.address,
      body: text.body,
      createdAt: new Date(Date.now() - 35_000),
      status: 'sent',
      errorCode: null,
    };
  }

  test('adopts the one text in the provider’s list that can be it', async () => {
    const text = await lostAnswer('confirmed_absent');
    await reconcile([remote(text)]);
    expect(await view(text.id)).toMatchObject({ state: 'accepted' });
  });

  test('leaves it unknown when two listed texts could be it', async () => {
    const text = await lostAnswer('confirmed_absent');
    await reconcile([remote(text), remote(text)]);
    expect(await view(text.id)).toMatchObject({ state: 'unknown' });
  });

  test('after two complete reads without it, tries again as a new row', async () => {
    const text = await lostAnswer('confirmed_absent');
    await reconcile([]);
    expect(await view(text.id)).toMatchObject({ state: 'unknown' });
    await ledger().database.query(
      `update message set reconcile_at = now() - interval '1 s' where state = 'unknown' returning 1 as done`,
    );
    await reconcile([]);
    expect(await view(text.id)).toMatchObject({ state: 'lost', reason: 'absent_at_provider' });
    expect(
      await ledger().count(
        `message where retry_of = $1::uuid and try = 2 and state = 'planned'`,
        text.id,
      ),
    ).toBe(1);
  });

  test('with at_most_once never tries again', async () => {
    const text = await lostAnswer('at_most_once');
    await reconcile([]);
    await ledger().database.query(
      `update message set reconcile_at = now() - interval '1 s' where state = 'unknown' returning 1 as done`,
    );
    await reconcile([]);
    expect(await view(text.id)).toMatchObject({ state: 'lost' });
    expect(await ledger().count('message where retry_of = $1::uuid', text.id)).toBe(0);
  });
});
