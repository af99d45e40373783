/**
 * Temporal as a cluster runs it: the production server in the version of the dev server, built from its source
 * once, its two stores in Postgres under the schema that its own tool makes, and nothing tuned. What the dev
 * server forgives shows here.
 */
import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { appendFileSync, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { startProcess, untilReady, type RunningProcess } from '../runtime/child-process.ts';
import { asUser } from '../runtime/config.ts';
import { startEmbeddedPostgres } from '../runtime/embedded-postgres.ts';
import { binaryCacheFolder } from '../runtime/temporal-binary.ts';
import { freePort } from '../test/support/ports.ts';
import { ensureNamespace } from '../test/support/stack/stack.ts';
import { waitUntil } from '../test/support/wait-until.ts';

export interface TemporalOnPostgresOptions {
  /** For its configuration and its log. */
  readonly folder: string;
  /** A running Postgres in which it may create databases and extensions. */
  readonly superuserUrl: string;
  /** Gets what a person who waits should know. */
  readonly log: (text: string) => void;
}

export interface TemporalOnPostgres {
  readonly address: string;
  readonly namespace: string;
  readonly pid: () => number;
  /** As the server itself says. */
  readonly version: string;
  readonly stop: () => Promise<void>;
}

interface Binaries {
  readonly server: string;
  readonly sql: string;
}

const run = promisify(execFile);
const VERSION = '1.32.0';
const NAMESPACE = 'default';
const START_TIMEOUT_MS = 60_000;
const SAY_EVERY_MS = 30_000;
/** A database and the schema that is embedded in the tool, for each of the two stores. */
const STORES = {
  temporal: 'postgresql/v12/temporal',
  temporal_visibility: 'postgresql/v12/visibility',
} as const;

/** A Temporal that is no dev server, for a whole run. */
export interface TemporalCluster {
  readonly address: string;
  readonly namespace: string;
  /** Of the processes whose costs are known, by what they are. */
  readonly pids: () => Readonly<Record<string, readonly number[]>>;
  readonly close: () => Promise<void>;
}

/**
 * The production server on a Postgres server of its own, as a cluster would have it; where TEMPORAL_ADDRESS
 * is set, that cluster instead, in a namespace of its own that nothing of earlier runs is in.
 */
export async function startTemporalCluster(
  folder: string,
  log: (text: string) => void,
): Promise<TemporalCluster> {
  const given = process.env['TEMPORAL_ADDRESS'];
  if (given !== undefined && given !== '') {
    const namespace = `bench-${Date.now()}`;
    return { address: given, namespace, pids: () => ({}), close: async () => {} };
  }
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, 'postgres'),
    port: await freePort(),
    password: randomBytes(16).toString('hex'),
    log: (text) => appendFileSync(join(folder, 'postgres.log'), text),
  });
  try {
    const superuserUrl = asUser(postgres.ownerUrl, 'postgres');
    const temporal = await startTemporalOnPostgres({ folder, superuserUrl, log });
    return {
      ...temporal,
      pids: () => ({ temporal: [temporal.pid()], 'temporal-postgres': [postgres.pid] }),
      close: async () => {
        await temporal.stop();
        await postgres.stop();
      },
    };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/** Starts the server on fresh databases and waits until its namespace, schedules and lists answer. */
export async function startTemporalOnPostgres(
  options: TemporalOnPostgresOptions,
): Promise<TemporalOnPostgres> {
  const { folder, log } = options;
  const binaries = await findBinaries(log);
  const postgres = new URL(options.superuserUrl);
  await mkdir(folder, { recursive: true });
  await createStores(binaries.sql, postgres);
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const configFile = join(folder, 'temporal-server.yaml');
  await writeFile(configFile, await configuration(folder, port, postgres));
  const server = await startProcess({
    command: binaries.server,
    args: ['--config-file', configFile, 'start'],
    log: (text) => appendFileSync(join(folder, 'temporal-server.log'), text),
  });
  const stop = async (): Promise<void> => {
    server.kill();
    await server.exited;
  };
  try {
    const version = await registerNamespace(server, address);
    await ensureNamespace({ address, namespace: NAMESPACE });
    log(`Temporal ${version} runs on Postgres`);
    return { address, namespace: NAMESPACE, pid: () => server.pid, version, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Of the machine's cache, or built into it. */
async function findBinaries(log: (text: string) => void): Promise<Binaries> {
  const cache = binaryCacheFolder(process.env);
  const folder = join(cache, `temporal-server-${VERSION}`);
  const binaries = { server: join(folder, 'server'), sql: join(folder, 'sql') };
  if (Object.values(binaries).every((file) => existsSync(file))) return binaries;
  await mkdir(folder, { recursive: true });
  const fresh = await mkdtemp(join(cache, 'build-'));
  try {
    await build(fresh, log);
    // Moved, so that what lies in the cache is whole.
    for (const name of ['server', 'sql']) await rename(join(fresh, name), join(folder, name));
  } catch (error) {
    throw new Error(
      `Could not build Temporal ${VERSION}: ${error instanceof Error ? error.message : String(error)}\n` +
        'Install Go 1.26 or newer (https://go.dev/dl) so that it is on PATH, ' +
        'or set TEMPORAL_ADDRESS to a running cluster.',
      { cause: error },
    );
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return binaries;
}

async function build(folder: string, log: (text: string) => void): Promise<void> {
  const startedAt = Date.now();
  const packages = ['server', 'tools/sql'].map(
    (command) => `go.temporal.io/server/cmd/${command}@v${VERSION}`,
  );
  log(`Building Temporal ${VERSION} (once, about four minutes on two cores) ...`);
  const go = await startProcess({
    command: 'go',
    args: ['install', '-v', ...packages],
    env: { ...process.env, GOBIN: folder },
    log: () => {},
  });
  const timer = setInterval(() => {
    const seconds = Math.round((Date.now() - startedAt) / 1_000);
    log(`still building after ${seconds} s: ${go.tail().split('\n').at(-1)}`);
  }, SAY_EVERY_MS);
  const ended = await go.exited;
  clearInterval(timer);
  if (ended !== 'exit code 0') throw new Error(`${ended}\n${go.tail()}`);
}

/** With the tool that an operator uses, so that its schema is the one of a real installation. */
async function createStores(tool: string, postgres: URL): Promise<void> {
  for (const [database, schema] of Object.entries(STORES)) {
    const env = {
      ...process.env,
      SQL_PLUGIN: 'postgres12',
      SQL_HOST: postgres.hostname,
      SQL_PORT: postgres.port,
      SQL_USER: postgres.username,
      SQL_PASSWORD: decodeURIComponent(postgres.password),
      SQL_DATABASE: database,
    };
    await run(tool, ['create-database'], { env });
    await run(tool, ['setup-schema', '--version', '0.0'], { env });
    await run(tool, ['update-schema', '--schema-name', schema], { env });
  }
}

/** JSON is YAML too. */
async function configuration(folder: string, port: number, postgres: URL): Promise<string> {
  const address = `127.0.0.1:${port}`;
  const dynamicFile = join(folder, 'temporal-dynamic.yaml');
  await writeFile(dynamicFile, '{}\n');
  const store = (databaseName: keyof typeof STORES, maxConns: number) => ({
    sql: {
      pluginName: 'postgres12',
      databaseName,
      connectAddr: postgres.host,
      connectProtocol: 'tcp',
      user: postgres.username,
      password: decodeURIComponent(postgres.password),
      maxConns,
      maxIdleConns: maxConns,
      maxConnLifetime: '1h',
    },
  });
  const service = async (grpcPort: number) => ({
    rpc: { grpcPort, membershipPort: await freeMembershipPort(), bindOnLocalHost: true },
  });
  return JSON.stringify({
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: 128,
      // Each of the four services has pools of its own.
      datastores: { default: store('temporal', 20), visibility: store('temporal_visibility', 5) },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: {
      frontend: await service(port),
      history: await service(await freePort()),
      matching: await service(await freePort()),
      worker: await service(await freePort()),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: address,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    publicClient: { hostPort: address },
    dynamicConfigClient: { filepath: dynamicFile, pollInterval: '60s' },
  });
}

/** The schema keeps it in a signed smallint, above which a system finds its own free ports. */
async function freeMembershipPort(): Promise<number> {
  const what = 'a free port below 32768';
  return waitUntil(() => freePort(randomInt(10_000, 32_768)), { what, everyMs: 1 });
}

/** Waits for the server and gives it the namespace that a dev server is born with; returns its version. */
async function registerNamespace(server: RunningProcess, address: string): Promise<string> {
  const connection = Connection.lazy({ address });
  try {
    await untilReady(server, {
      name: 'Temporal',
      isReady: () =>
        readVersion(connection).then(
          () => true,
          () => false,
        ),
      timeoutMs: START_TIMEOUT_MS,
    });
    await connection.workflowService.registerNamespace({
      namespace: NAMESPACE,
      workflowExecutionRetentionPeriod: msToTs('24 hours'),
    });
    return await readVersion(connection);
  } finally {
    await connection.close();
  }
}

async function readVersion(connection: Connection): Promise<string> {
  return connection.withDeadline(Date.now() + 2_000, async () => {
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    return serverVersion ?? 'unknown';
  });
}
