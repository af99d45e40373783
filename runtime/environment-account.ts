import type { Database } from '../db/client.ts';
import { newId } from '../db/ids.ts';
import type { Config } from './config.ts';
import type { SecretBox } from './secrets.ts';

/**
 * Gives the first org the provider account that the environment names, or renews its token. Key:
 * (org, provider, account SID).
 */
export async function ensureEnvironmentAccount(
  database: Database,
  config: Config,
  secrets: SecretBox,
): Promise<void> {
  if (config.TWILIO_ACCOUNT_SID === undefined || config.TWILIO_AUTH_TOKEN === undefined) return;
  await database.query(
    `insert into provider_account (id, org_id, provider, name, account_sid, auth_tokens_encrypted, key_id, base_url)
     select $1::uuid, o.id, 'twilio', 'Twilio', $2, $3::bytea, $4, $5 from (select id from org order by created_at, id limit 1) o
     on conflict (org_id, provider, account_sid) do update
        set auth_tokens_encrypted = excluded.auth_tokens_encrypted, key_id = excluded.key_id, base_url = excluded.base_url,
            state = 'active', state_reason = null
     returning 1 as done`,
    newId(),
    config.TWILIO_ACCOUNT_SID,
    secrets.seal(JSON.stringify([config.TWILIO_AUTH_TOKEN])),
    secrets.keyId,
    config.TWILIO_BASE_URL ?? null,
  );
}
