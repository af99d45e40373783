import { Hono, type Context } from 'hono';
import type { AccountLoader, LoadedAccount } from '../../db/accounts.ts';
import { errorKind } from '../../db/client.ts';
import { limitBody } from '../body-limit.ts';
import { faultPoint } from '../../faults/points.ts';
import type { MessagingProvider } from '../../providers/messaging-provider.ts';
import type { Ingest } from './ingest.ts';

export interface WebhookDeps {
  readonly accounts: AccountLoader;
  readonly providers: { get(name: string): MessagingProvider };
  readonly ingest: Ingest;
  /** The origin that the provider calls and signs. */
  readonly publicUrl: string;
  readonly log: {
    warn(fields: Record<string, unknown>, text: string): void;
    error(fields: Record<string, unknown>, text: string): void;
  };
  readonly observe: (kind: string, status: number, seconds: number) => void;
}

const MAX_BODY_BYTES = 64 * 1024;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** A verified request: whose it is and what it said. */
interface Verified {
  readonly loaded: LoadedAccount;
  readonly provider: MessagingProvider;
  readonly raw: string;
}

/**
 * Webhooks in this order: signature over the configured public URL, schema, one transaction shared with
 * the neighbours, then 2xx. A 2xx always means "stored"; 5xx asks the provider to come again.
 */
export function createTwilioWebhooks(given: WebhookDeps): Hono {
  // Taken apart once, not for every request.
  const deps = { ...given, publicUrl: new URL(given.publicUrl).origin };
  const app = new Hono();
  app.use(
    '/webhooks/*',
    limitBody(MAX_BODY_BYTES, (c) => c.body(null, 413)),
  );

  app.post('/webhooks/twilio/:account/inbound', (c) =>
    answer(deps, { c, kind: 'inbound' }, async ({ loaded, provider, raw }) => {
      const parsed = provider.parseInbound(raw);
      if (!parsed.ok) return keep(deps, { loaded, raw, kind: 'inbound', problem: parsed.problem });
      const text = parsed.value;
      if (text.accountSid !== loaded.account.accountSid) return 403;
      await deps.ingest.addInbound({
        raw,
        parsed: {
          accountId: loaded.account.id,
          orgId: loaded.orgId,
          orgName: loaded.orgName,
          providerMessageId: text.providerMessageId,
          address: text.from,
          sender: text.to,
          body: text.body,
          media: text.media.map((medium) => medium.url),
          providerKeyword: text.providerOptOut,
          receivedAt: text.receivedAt ?? new Date(),
          timed: text.receivedAt !== null,
        },
      });
      return 204;
    }),
  );

  app.post('/webhooks/twilio/:account/status/:message', (c) =>
    answer(deps, { c, kind: 'status' }, async ({ loaded, provider, raw }) => {
      const messageId = c.req.param('message') ?? '';
      const parsed = provider.parseStatus(raw);
      if (!parsed.ok || !UUID.test(messageId)) {
        return keep(deps, {
          loaded,
          raw,
          kind: 'status',
          problem: parsed.ok ? 'the path names no message' : parsed.problem,
        });
      }
      const report = parsed.value;
      if (report.accountSid !== loaded.account.accountSid) return 403;
      await deps.ingest.addReport({
        raw,
        parsed: {
          accountId: loaded.account.id,
          orgId: loaded.orgId,
          messageId,
          providerMessageId: report.providerMessageId,
          status: report.status,
          errorCode: report.errorCode,
        },
      });
      return 204;
    }),
  );
  return app;
}

type Status = 204 | 403 | 404 | 503;

async function answer(
  deps: WebhookDeps,
  { c, kind }: { readonly c: Context; readonly kind: string },
  store: (verified: Verified) => Promise<Status>,
): Promise<Response> {
  const startedAt = performance.now();
  const status = await handle(deps, c, store).catch((error: unknown): Status => {
    deps.log.error(
      { kind, error: errorKind(error) },
      'a webhook could not be stored; the provider will try again',
    );
    return 503;
  });
  deps.observe(kind, status, (performance.now() - startedAt) / 1_000);
  if (status === 503) c.header('Retry-After', '1');
  return c.body(null, status);
}

async function handle(
  deps: WebhookDeps,
  c: Context,
  store: (verified: Verified) => Promise<Status>,
): Promise<Status> {
  const accountId = c.req.param('account') ?? '';
  const reading = c.req.text();
  faultPoint('ingest.reading');
  const raw = await reading;
  const loaded = UUID.test(accountId) ? await deps.accounts.find(accountId) : null;
  if (loaded === null) return 404;
  const provider = deps.providers.get(loaded.provider);
  const genuine = provider.verifyWebhook(loaded.account, {
    url: publicUrl(deps.publicUrl, c.req.url),
    signature: c.req.header('x-twilio-signature') ?? null,
    contentType: c.req.header('content-type') ?? null,
    rawBody: raw,
  });
  if (!genuine) {
    deps.log.warn({ account: accountId }, 'a webhook carried no valid signature');
    return 403;
  }
  return store({ loaded, provider, raw });
}

/** Configured origin, raw path and raw query: never the Host header, which the caller chooses. */
function publicUrl(origin: string, requestUrl: string): string {
  const pathAt = requestUrl.indexOf('/', requestUrl.indexOf('//') + 2);
  return origin + (pathAt === -1 ? '/' : requestUrl.slice(pathAt));
}

/** Genuine but not what its path says: kept raw for a person, and answered, since it would never get better. */
async function keep(
  deps: WebhookDeps,
  {
    loaded,
    raw,
    kind,
    problem,
  }: { loaded: LoadedAccount; raw: string; kind: string; problem: string },
): Promise<Status> {
  deps.log.error(
    { account: loaded.account.id, kind, problem },
    'a genuine webhook could not be read; it is in quarantine',
  );
  await deps.ingest.addUnreadable({ accountId: loaded.account.id, kind, raw, problem });
  return 204;
}
