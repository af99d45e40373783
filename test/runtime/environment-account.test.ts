import { expect, test } from 'vitest';
import { createAccountLoader } from '../../db/accounts.ts';
import { readConfig } from '../../runtime/config.ts';
import { ensureEnvironmentAccount } from '../../runtime/environment-account.ts';
import { createSecretBox } from '../../runtime/secrets.ts';
import { TEST_KEY, withLedger } from '../support/ledger.ts';

const ledger = withLedger();
const SID = `AC${'9'.repeat(32)}`;
const secrets = createSecretBox({ key: TEST_KEY, keyId: 'k1' });

async function start(token: string): Promise<void> {
  const config = readConfig({
    DATABASE_URL: ledger().urls.ownerUrl,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    PUBLIC_URL: 'https://texts.example.org',
    KEY_ENCRYPTION_KEY: TEST_KEY,
    TWILIO_ACCOUNT_SID: SID,
    TWILIO_AUTH_TOKEN: token,
  });
  await ensureEnvironmentAccount(ledger().database, config, secrets);
}

test('the account of the environment is set up once for the first org, and takes a new token at the next start', async () => {
  await start('first-token');
  await ledger().database.query(
    `update provider_account set state = 'stopped' where account_sid = $1 returning 1 as done`,
    SID,
  );
  await start('second-token');
  const rows = await ledger().database.query<{
    id: string;
    org_id: string;
    state: string;
    sealed: string;
  }>(
    `select id, org_id, state::text as state, encode(auth_tokens_encrypted, 'escape') as sealed from provider_account where account_sid = $1`,
    SID,
  );
  expect(rows).toMatchObject([{ org_id: ledger().orgId, state: 'active' }]);
  expect(rows[0]?.sealed).not.toContain('token');
  const accounts = createAccountLoader(
    ledger().database,
    (sealed, keyId) => secrets.open(sealed, keyId),
    'http://127.0.0.1:9',
  );
  expect((await accounts.find(rows[0]?.id ?? ''))?.account).toMatchObject({
    accountSid: SID,
    authTokens: ['second-token'],
    baseUrl: 'http://127.0.0.1:9',
  });
});
