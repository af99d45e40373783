import type { Database } from '../../db/client.ts';
import { causeId, newId } from '../../db/ids.ts';
import { createSecretBox } from '../../runtime/secrets.ts';
import type { Script } from '../../domain/script.ts';

export const TEST_KEY = Buffer.alloc(32, 7).toString('base64');
export const TEST_TOKEN = 'an-auth-token-of-a-test';

/** Two questions and a goodbye; "no" to the second goes back to the first. */
export const TEST_SCRIPT: Script = {
  start: 'ask',
  steps: {
    ask: {
      text: 'Hi {{first_name|there}}, will you vote? Reply STOP to opt out.',
      answers: [
        { key: 'yes', label: 'Yes', words: ['yes', 'y'], next: 'help_out', tag: 'voter' },
        { key: 'no', label: 'No', words: ['no', 'n'], next: 'bye' },
        { key: 'never', label: 'Never', words: ['never'], action: 'opt-out' },
      ],
    },
    help_out: {
      text: 'Great! Can you help out?',
      answers: [
        { key: 'yes', label: 'Yes', words: ['yes', 'y'], next: 'bye' },
        { key: 'again', label: 'Ask again', words: ['again'], next: 'ask' },
      ],
    },
    bye: { text: 'Thank you!' },
  },
};

export interface Ledger {
  readonly database: Database;
  readonly urls: { readonly ownerUrl: string; readonly engineUrl: string; readonly apiUrl: string };
  readonly orgId: string;
  readonly accountId: string;
  readonly accountSid: string;
  readonly poolId: string;
  readonly senders: readonly { readonly id: string; readonly e164: string }[];
  /** Adds a running campaign with that many people, all of its first texts planned and due. */
  addCampaign(options?: CampaignOptions): Promise<TestCampaign>;
  count(where: string, ...parameters: unknown[]): Promise<number>;
}

export interface CampaignOptions {
  readonly people?: number;
  readonly state?: string;
  readonly script?: Script;
  readonly driver?: 'pool' | 'conversation';
  readonly notAfterMs?: number;
  readonly policy?: string;
}

export interface TestCampaign {
  readonly id: string;
  readonly launchedAt: Date;
  readonly people: readonly {
    readonly conversationId: string;
    readonly messageId: string;
    readonly address: string;
  }[];
}

let nextNumber = 0;

/** An org with an account, a pool of two senders, and campaigns at will; as plain rows. */
export async function createLedger(database: Database, urls: Ledger['urls']): Promise<Ledger> {
  const orgId = newId();
  const accountId = newId();
  const poolId = newId();
  const accountSid = `AC${'0'.repeat(24)}${String(Math.floor(performance.now() * 1000))
    .slice(-8)
    .padStart(8, '0')}`;
  const sealed = createSecretBox({ key: TEST_KEY, keyId: 'k1' }).seal(JSON.stringify([TEST_TOKEN]));
  // No worker beats here; claims close when the heart is old.
  await database.query(
    `update deployment set beat_at = now() + interval '1 day' where id = 1 returning 1 as done`,
  );
  await database.query(
    `insert into org (id, name, hours_laws) values ($1::uuid, 'Test Org', 'none') returning 1 as done`,
    orgId,
  );
  await database.query(
    `insert into provider_account (id, org_id, provider, name, account_sid, auth_tokens_encrypted, key_id)
     values ($1::uuid, $2::uuid, 'twilio', 'test', $3, $4::bytea, 'k1') returning 1 as done`,
    accountId,
    orgId,
    accountSid,
    sealed,
  );
  await database.query(
    `insert into sender_pool (id, org_id, account_id, name) values ($1::uuid, $2::uuid, $3::uuid, 'pool') returning 1 as done`,
    poolId,
    orgId,
    accountId,
  );
  const senders = ['+12125550101', '+12125550102'].map((e164) => ({ id: newId(), e164 }));
  for (const sender of senders) {
    await database.query(
      `insert into sender (id, org_id, account_id, pool_id, e164, segments_per_second)
       values ($1::uuid, $2::uuid, $3::uuid, $4::uuid, $5, 100) returning 1 as done`,
      sender.id,
      orgId,
      accountId,
      poolId,
      sender.e164,
    );
  }
  const ids = { orgId, accountId, poolId };
  return {
    database,
    urls,
    ...ids,
    accountSid,
    senders,
    addCampaign: (options = {}) => addCampaign(database, ids, options),
    count: async (where, ...parameters) => {
      const [row] = await database.query<{ n: number }>(
        `select count(*)::int as n from ${where}`,
        ...parameters,
      );
      return row?.n ?? 0;
    },
  };
}

async function addCampaign(
  database: Database,
  ids: { readonly orgId: string; readonly accountId: string; readonly poolId: string },
  options: CampaignOptions,
): Promise<TestCampaign> {
  const {
    people = 1,
    state = 'running',
    script = TEST_SCRIPT,
    driver = 'pool',
    notAfterMs = 3_600_000,
    policy = 'confirmed_absent',
  } = options;
  const [listId, scriptId, versionId, id] = [newId(), newId(), newId(), newId()];
  const launchedAt = new Date();
  await database.query(
    `insert into contact_list (id, org_id, name) values ($1::uuid, $2::uuid, 'list') returning 1 as done`,
    listId,
    ids.orgId,
  );
  await database.query(
    `insert into script (id, org_id, name) values ($1::uuid, $2::uuid, 'script') returning 1 as done`,
    scriptId,
    ids.orgId,
  );
  await database.query(
    `insert into script_version (id, script_id, org_id, version, graph) values ($1::uuid, $2::uuid, $3::uuid, 1, $4::jsonb) returning 1 as done`,
    versionId,
    scriptId,
    ids.orgId,
    JSON.stringify(script),
  );
  await database.query(
    `insert into campaign (id, org_id, name, state, fence, list_id, script_version_id, pool_id, account_id, launched_at, hours_start_minute, hours_end_minute, hours_days, unknown_policy)
     values ($1::uuid, $2::uuid, 'campaign', $3::campaign_state, 1, $4::uuid, $5::uuid, $6::uuid, $7::uuid, $8::timestamptz, 0, 1440, '{1,2,3,4,5,6,7}', $9::unknown_policy) returning 1 as done`,
    id,
    ids.orgId,
    state,
    listId,
    versionId,
    ids.poolId,
    ids.accountId,
    launchedAt,
    policy,
  );
  await database.query(
    `insert into campaign_progress (campaign_id, org_id, frozen_at, resolved_start_mode) values ($1::uuid, $2::uuid, now(), 'first_reply') returning 1 as done`,
    id,
    ids.orgId,
  );
  await database.query(
    `insert into zone_set (zones) values ('{America/New_York}') on conflict do nothing returning 1 as done`,
  );
  const members = Array.from({ length: people }, (_, index) => {
    nextNumber += 1;
    const conversationId = causeId(launchedAt.getTime(), 'person', id, index);
    return {
      conversationId,
      contactId: newId(),
      messageId: causeId(launchedAt.getTime(), 'campaign-text', conversationId, script.start, 0, 1),
      address: `+1212${String(process.pid % 100).padStart(2, '0')}${String(nextNumber).padStart(5, '0')}`,
    };
  });
  await database.query(
    `with p as (select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) with ordinality p(conversation_id, contact_id, message_id, address, o)),
     z as (select id from zone_set where zones = '{America/New_York}'),
     k as (insert into contact (id, org_id, e164, first_name, zone_set_id) select contact_id, $5::uuid, address, 'Ada', z.id from p, z),
     cc as (
       insert into campaign_contact (id, campaign_id, org_id, contact_id, zone_set_id, seq, e164, merge)
       select conversation_id, $6::uuid, $5::uuid, contact_id, z.id, o, address, '{"first_name":"Ada"}' from p, z)
     insert into message (id, org_id, direction, purpose, state, driver, priority, account_id, pool_id, address, campaign_id, conversation_id, contact_id,
                          step, body, encoding, segments, due_at, not_after)
     select message_id, $5::uuid, 'outbound', 'campaign', 'planned', $7::message_driver, 3, $8::uuid, $9::uuid, address, $6::uuid, conversation_id, contact_id,
            $10, 'Hi Ada, will you vote? Reply STOP to opt out.', 'gsm7', 1, now() - interval '10 s', now() + $11::float8 * interval '1 ms' from p returning 1 as done`,
    members.map((member) => member.conversationId),
    members.map((member) => member.contactId),
    members.map((member) => member.messageId),
    members.map((member) => member.address),
    ids.orgId,
    id,
    driver,
    ids.accountId,
    ids.poolId,
    script.start,
    notAfterMs,
  );
  return { id, launchedAt, people: members };
}
