import { createHmac } from 'node:crypto';
import type { Hono } from 'hono';
import { createIngest } from '../../api/webhooks/ingest.ts';
import { createTwilioWebhooks } from '../../api/webhooks/twilio.ts';
import { createAccountLoader } from '../../db/accounts.ts';
import type { Database } from '../../db/client.ts';
import { createNotifier } from '../../db/notifier.ts';
import { createProviders } from '../../providers/registry.ts';
import { createSecretBox } from '../../runtime/secrets.ts';
import { TEST_KEY, TEST_TOKEN } from '../support/ledger.ts';

/** What the provider calls; the test's own requests carry another host. */
export const ORIGIN = 'https://texts.example.org';

export type Fields = readonly (readonly [name: string, value: string])[];

/** The webhooks over a database, with the real adapter. */
export function createTestWebhooks(
  database: Database,
  accountsDatabase: Database = database,
): Hono {
  const secrets = createSecretBox({ key: TEST_KEY, keyId: 'k1' });
  return createTwilioWebhooks({
    accounts: createAccountLoader(accountsDatabase, (sealed, keyId) => secrets.open(sealed, keyId)),
    providers: createProviders({ twilio: { maxConcurrentSends: 2 } }),
    ingest: createIngest({ database, notifier: createNotifier(database) }),
    publicUrl: ORIGIN,
    log: { warn: () => {}, error: () => {} },
    observe: () => {},
  });
}

/** Signs as Twilio documents it: the URL, then every name with its value, sorted; equal pairs once. */
export function signFields(path: string, fields: Fields, token: string = TEST_TOKEN): string {
  const pairs = [...new Set(fields.map(([name, value]) => name + value))].toSorted();
  return createHmac('sha1', token)
    .update(`${ORIGIN}${path}${pairs.join('')}`, 'utf8')
    .digest('base64');
}

export interface Posting {
  readonly path: string;
  readonly fields: Fields;
  /** Left out: the right one. Null: none at all. */
  readonly signature?: string | null;
  /** What is sent instead of the fields that were signed. */
  readonly body?: string;
}

export async function postWebhook(app: Hono, posting: Posting): Promise<Response> {
  const { path, fields, signature = signFields(path, fields) } = posting;
  const headers = new Headers({
    'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
  });
  if (signature !== null) headers.set('x-twilio-signature', signature);
  const body = posting.body ?? encodeFields(fields);
  return app.request(`http://10.0.0.1:8080${path}`, { method: 'POST', headers, body });
}

export function encodeFields(fields: Fields): string {
  return fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}
