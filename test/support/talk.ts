import { createConversationActivities, type TurnResult } from '../../activities/conversations.ts';
import { newId } from '../../db/ids.ts';
import { storeInbound } from '../../db/inbound.ts';
import type { Script } from '../../domain/script.ts';
import { createActivityDeps, createScriptedProvider } from './activity-deps.ts';
import { TEST_SCRIPT, type Ledger } from './ledger-rows.ts';

export interface Talk {
  readonly campaignId: string;
  readonly conversationId: string;
  /** The first text. */
  readonly messageId: string;
  /** Texts as webhooks bring them, all at once. */
  hear(...bodies: readonly string[]): Promise<void>;
  turn(): Promise<TurnResult>;
  /** Everything planned was sent and accepted. */
  sent(): Promise<void>;
  /** What became of the texts of this step. */
  settle(step: string, state: string): Promise<void>;
  row(): Promise<Record<string, unknown>>;
  answers(): Promise<string[]>;
  replies(): Promise<string[]>;
}

/** A person whose first text was accepted, and who answers as a test says. */
export async function startTalk(ledger: Ledger, script: Script = TEST_SCRIPT): Promise<Talk> {
  const { database, accountId, orgId, senders } = ledger;
  const campaign = await ledger.addCampaign({ script });
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
    createActivityDeps(ledger, createScriptedProvider()),
  );
  return {
    campaignId: campaign.id,
    conversationId,
    messageId: person.messageId,
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
    sent: async () => {
      await database.query(
        `update message set state = 'accepted', accepted_at = now(), provider_message_id = 'SM' || replace(id::text, '-', '')
          where conversation_id = $1::uuid and direction = 'outbound' and state = 'planned' returning 1 as done`,
        conversationId,
      );
    },
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
        `select state::text as state, step, needs_reply_reason, handled_seq, arrival_seq, visits from conversation where id = $1::uuid`,
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
