/** Two process entries: the API with its webhooks, and the ingest that serves webhooks only. */
import { serve, type ServerType } from '@hono/node-server';
import { Hono } from 'hono';
import { readConfig } from '../runtime/config.ts';
import { ensureEnvironmentAccount } from '../runtime/environment-account.ts';
import { createRuntime, type Runtime } from '../runtime/runtime.ts';
import { stopSignal } from '../runtime/stop-signal.ts';
import { connectClient } from '../runtime/temporal.ts';
import { campaignWorkflowId, setRateUpdate } from '../workflows/contract.ts';
import { createApp } from './app.ts';
import { createIngest, type Ingest } from './webhooks/ingest.ts';
import { createTwilioWebhooks } from './webhooks/twilio.ts';

const UPDATE_DEADLINE_MS = 10_000;
/**
 * How long a client may take (ms) for its headers, and for its whole request: files come to the API alone. A socket
 * that says nothing is closed after a minute.
 */
const SLOW_CLIENTS = {
  api: limits(600_000),
  ingest: limits(20_000),
} as const;

function limits(requestTimeout: number) {
  return {
    headersTimeout: 10_000,
    requestTimeout,
    keepAliveTimeout: 60_000,
    connectionsCheckingInterval: 2_000,
    maxHeaderSize: 16_384,
  };
}

/** Serves `/v1` and the webhooks until it is told to stop. */
export async function runApi(): Promise<void> {
  const config = readConfig();
  const runtime = createRuntime(config, 'api');
  const stopped = stopSignal();
  const temporal = await connectClient(config);
  const apiDatabase = runtime.createApiDatabase();
  const ingest = createIngest({ database: runtime.engine, notifier: runtime.notifier });
  const webhooks = createWebhooks(runtime, ingest);
  await ensureEnvironmentAccount(runtime.engine, config, runtime.secrets);
  const app = createApp({
    apiDatabase,
    engineDatabase: runtime.engine,
    temporal: {
      updateCampaignRate: (campaignId, segmentsPerSecond) =>
        temporal.withDeadline(Date.now() + UPDATE_DEADLINE_MS, () =>
          temporal.workflow
            .getHandle(campaignWorkflowId(campaignId))
            .executeUpdate(setRateUpdate, { args: [{ segmentsPerSecond }] }),
        ),
    },
    seal: (plain) => ({ sealed: runtime.secrets.seal(plain), keyId: runtime.secrets.keyId }),
    storage: runtime.storage,
    log: runtime.log,
    settings: {
      publicUrl: config.PUBLIC_URL,
      temporalUiUrl: config.TEMPORAL_UI_URL,
      temporalNamespace: config.TEMPORAL_NAMESPACE,
      maxUploadBytes: config.MAX_UPLOAD_BYTES,
      startsPerSecond: config.TEMPORAL_STARTS_PER_SECOND,
    },
    mountWebhooks: (root) => root.route('/', webhooks),
    ready: () => isReady(runtime),
    metrics: runtime.metrics.read,
    listsSentTexts: (provider) => runtime.providers.get(provider).capabilities.listsSentTexts,
    notify: runtime.notifier.poke,
  });
  await serveUntil(stopped, {
    runtime,
    ingest,
    fetch: app.fetch,
    port: config.API_PORT,
    name: 'api',
  });
  await apiDatabase.close();
  await temporal.connection.close();
  await runtime.close();
}

/** Serves the webhooks alone, so that no burst of requests or sends can delay a stop. */
export async function runIngest(): Promise<void> {
  const config = readConfig();
  const runtime = createRuntime(config, 'ingest');
  const stopped = stopSignal();
  const ingest = createIngest({ database: runtime.engine, notifier: runtime.notifier });
  const app = new Hono();
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const checks = await isReady(runtime);
    return c.json(checks, Object.values(checks).every(Boolean) ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    const { contentType, body } = await runtime.metrics.read();
    return c.body(body, 200, { 'content-type': contentType });
  });
  app.route('/', createWebhooks(runtime, ingest));
  await serveUntil(stopped, {
    runtime,
    ingest,
    fetch: app.fetch,
    port: config.INGEST_PORT,
    name: 'ingest',
  });
  await runtime.close();
}

function createWebhooks(runtime: Runtime, ingest: Ingest): Hono {
  return createTwilioWebhooks({
    accounts: runtime.accounts,
    providers: runtime.providers,
    ingest,
    publicUrl: runtime.config.PUBLIC_URL,
    log: runtime.log,
    observe: runtime.metrics.observeWebhook,
  });
}

async function isReady(runtime: Runtime): Promise<Record<string, boolean>> {
  const database = await runtime.engine.query('select 1 as one').then(
    () => true,
    () => false,
  );
  return { database };
}

interface Serving {
  readonly runtime: Runtime;
  readonly ingest: Ingest;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly port: number;
  readonly name: 'api' | 'ingest';
}

async function serveUntil(stopped: Promise<unknown>, serving: Serving): Promise<void> {
  const { runtime, name } = serving;
  const server = await listen(serving);
  runtime.log.info({ port: serving.port }, `${name} ready`);
  process.stdout.write(
    `${JSON.stringify({ [name]: 'ready', port: serving.port, pid: process.pid })}\n`,
  );
  await stopped;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    // Idle keep-alive sockets would hold the close for ever; busy ones finish their request.
    if ('closeIdleConnections' in server) server.closeIdleConnections();
  });
  await serving.ingest.close();
}

function listen({ runtime, fetch, port, name }: Serving): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve(
      { fetch, port, hostname: runtime.config.HOST, serverOptions: SLOW_CLIENTS[name] },
      () => resolve(server),
    );
    server.once('error', (error: NodeJS.ErrnoException) => {
      const variable = name === 'api' ? 'API_PORT' : 'INGEST_PORT';
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`Port ${port} is taken. Set ${variable} to another.`, { cause: error })
          : error,
      );
    });
  });
}
