import type { ActivityDeps } from '../../activities/deps.ts';
import { importFile } from '../../activities/imports.ts';
import { createRecorder } from '../../activities/recorder.ts';
import { createSenderPace } from '../../activities/sender-pace.ts';
import { createSockets } from '../../activities/sockets.ts';
import { createAccountLoader } from '../../db/accounts.ts';
import { createPostgresStorage } from '../../db/stored-objects.ts';
import type {
  MessagingProvider,
  OutboundText,
  SendOutcome,
} from '../../providers/messaging-provider.ts';
import { createSecretBox } from '../../runtime/secrets.ts';
import { TEST_KEY, type Ledger } from './ledger.ts';

/** A provider that does what a test says and remembers what it was asked to send. */
export interface ScriptedProvider extends MessagingProvider {
  readonly sent: OutboundText[];
}

const CAPABILITIES = {
  listsSentTexts: true,
  listsInboundTexts: true,
  carriesReferenceInCallbacks: true,
  signsCallbacks: true,
  media: true,
  validityPeriod: true,
} as const;

export function createScriptedProvider(
  overrides: Partial<MessagingProvider> = {},
): ScriptedProvider {
  const sent: OutboundText[] = [];
  let n = 0;
  return {
    name: 'twilio',
    capabilities: CAPABILITIES,
    maxConcurrentSends: 10,
    sent,
    send: async (_account, text, options): Promise<SendOutcome> => {
      if (!options.mayStart()) return { kind: 'not-started', detail: 'too late' };
      sent.push(text);
      n += 1;
      return {
        kind: 'accepted',
        providerMessageId: `SM${String(n).padStart(32, '0')}`,
        from: text.from,
      };
    },
    listSent: async () => ({ items: [], nextPage: null }),
    listInbound: async () => ({ items: [], nextPage: null }),
    verifyWebhook: () => true,
    parseInbound: () => ({ ok: false, problem: 'not used' }),
    parseStatus: () => ({ ok: false, problem: 'not used' }),
    close: async () => {},
    ...overrides,
  };
}

/** What activities need, over a test's ledger and provider. */
export function createActivityDeps(
  ledger: Ledger,
  provider: MessagingProvider,
  settings: Partial<ActivityDeps['settings']> = {},
): ActivityDeps {
  const secrets = createSecretBox({ key: TEST_KEY, keyId: 'k1' });
  return {
    database: ledger.database,
    accounts: createAccountLoader(ledger.database, (sealed, keyId) => secrets.open(sealed, keyId)),
    providers: { get: () => provider },
    sockets: createSockets(10),
    pace: createSenderPace(),
    knownBeat: () => new Date(0),
    recorder: createRecorder(ledger.database),
    importApart: (importId) => importFile(ledger.database, importId),
    storage: createPostgresStorage(ledger.database),
    onPost: () => {},
    log: {
      info: () => {},
      warn: () => {},
      // What production only logs must not pass unseen in a test.
      error: (fields, text) => process.stderr.write(`${text} ${JSON.stringify(fields)}\n`),
    },
    settings: {
      publicUrl: 'http://127.0.0.1:9',
      sendDeadlineMs: 2_000,
      startsPerSecond: 20,
      reconcileLagMs: 0,
      reconcileBackoffMs: 1,
      sliceMs: { pool: 4_000, campaign: 4_000 },
      retention: { archiveAfterDays: 0, graceDays: 7, archivesKeptDays: 0, eventsKeptDays: 0 },
      ...settings,
    },
  };
}
