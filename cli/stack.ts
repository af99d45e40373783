import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { migrate } from '../db/migrate.ts';
import { dataFolderPath, lockDataFolder, readKeys, type Keys } from '../runtime/data-folder.ts';
import { startEmbeddedPostgres } from '../runtime/embedded-postgres.ts';
import { binaryCacheFolder, findTemporalBinary } from '../runtime/temporal-binary.ts';
import { startTemporalServer } from '../runtime/temporal-server.ts';
import { readPorts, requireFreePorts, type Ports, type PortVariable } from './ports.ts';
import type { Supervisor } from './supervisor.ts';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

type Environment = Readonly<Record<string, string | undefined>>;

/** An account that texts go through. */
export interface Gateway {
  readonly accountSid: string;
  readonly authToken: string;
  /** Null is Twilio itself. */
  readonly baseUrl: string | null;
}

export interface Stack {
  readonly apiUrl: string;
  readonly temporalUiUrl: string;
  /** Null when the texts go to Twilio. */
  readonly simulatorUrl: string | null;
  readonly journalFile: string;
  readonly ownerUrl: string;
  readonly gateway: Gateway;
}

export interface Session {
  readonly folder: string;
  readonly keys: Keys;
  readonly ports: Ports;
  readonly release: () => void;
}

/** What a killed run started gets this long to end before its ports count as taken. */
const TAKEOVER_PATIENCE_MS = 12_000;

/** Takes the data folder and makes sure of the ports: everything that can go wrong before anything starts. */
export async function openSession(environment: Environment, mark: string): Promise<Session> {
  const ports = readPorts(environment);
  const folder = dataFolderPath(environment, ROOT);
  const lock = await lockDataFolder(folder, mark);
  try {
    const keys = await readKeys(folder);
    // Postgres and Temporal are stopped by their own next start; the others notice that we are gone.
    const patienceMs = lock.wasTakenOver ? TAKEOVER_PATIENCE_MS : 0;
    const own = portsInUse(environment).filter(
      (variable) => !lock.wasTakenOver || variable === 'API_PORT' || variable === 'SIMULATOR_PORT',
    );
    await requireFreePorts(ports, own, patienceMs);
    return { folder, keys, ports, release: lock.release };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function portsInUse(environment: Environment): PortVariable[] {
  return [
    'API_PORT',
    ...(isSet(environment, 'DATABASE_URL') ? [] : (['POSTGRES_PORT'] as const)),
    ...(isSet(environment, 'TEMPORAL_ADDRESS')
      ? []
      : (['TEMPORAL_PORT', 'TEMPORAL_UI_PORT'] as const)),
    ...(usesTwilio(environment) ? [] : (['SIMULATOR_PORT'] as const)),
  ];
}

/** Starts everything in the order in which it depends on each other, and migrates the database. */
export async function startStack(options: {
  readonly supervisor: Supervisor;
  readonly session: Session;
  readonly environment: Environment;
  readonly say: (line: string) => void;
}): Promise<Stack> {
  const { supervisor, session, environment, say } = options;
  const { folder, ports } = session;
  const journalFile = join(folder, 'simulator-journal.ndjson');
  const gateway = chooseGateway(session, environment);
  const [ownerUrl, temporal] = await Promise.all([
    startDatabase(options),
    startTemporal(options),
    gateway.baseUrl === null ? null : startSimulator(options, { gateway, journalFile }),
  ]);
  const applied = await migrate(ownerUrl);
  if (applied.length > 0) say(`Database migrated (${applied.length} new).`);
  const apiUrl = `http://127.0.0.1:${ports.API_PORT}`;
  const env = {
    ...environment,
    NODE_ENV: environment['NODE_ENV'] ?? 'production',
    DATABASE_URL: ownerUrl,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_UI_URL: temporal.uiUrl,
    BEAT_FILE: join(session.folder, 'beat.json'),
    API_PORT: String(ports.API_PORT),
    PUBLIC_URL: isSet(environment, 'PUBLIC_URL') ? environment['PUBLIC_URL'] : apiUrl,
    KEY_ENCRYPTION_KEY: isSet(environment, 'KEY_ENCRYPTION_KEY')
      ? environment['KEY_ENCRYPTION_KEY']
      : session.keys.keyEncryptionKey,
    ...(gateway.baseUrl === null ? {} : { TWILIO_BASE_URL: gateway.baseUrl }),
  };
  await Promise.all(
    (['api', 'worker'] as const).map(async (name) =>
      supervisor.startNode({
        name,
        args: ['--import', 'tsx', 'cli/start.ts', name],
        cwd: ROOT,
        env,
        readyMark: `{"${name}":"ready"`,
        restarts: true,
      }),
    ),
  );
  const simulatorUrl = usesTwilio(environment) ? null : gateway.baseUrl;
  return { apiUrl, temporalUiUrl: temporal.uiUrl, simulatorUrl, journalFile, ownerUrl, gateway };
}

type StartOptions = Parameters<typeof startStack>[0];

async function startDatabase({ supervisor, session, environment }: StartOptions): Promise<string> {
  const given = environment['DATABASE_URL'];
  if (given !== undefined && given !== '') return given;
  const { ownerUrl } = await supervisor.start('postgres', async (log) =>
    startEmbeddedPostgres({
      dataDir: join(session.folder, 'postgres'),
      port: session.ports.POSTGRES_PORT,
      password: session.keys.databasePassword,
      log,
    }),
  );
  return ownerUrl;
}

async function startTemporal({
  supervisor,
  session,
  environment,
  say,
}: StartOptions): Promise<{ address: string; uiUrl: string }> {
  const { folder, ports } = session;
  const given = environment['TEMPORAL_ADDRESS'];
  if (given !== undefined && given !== '') {
    return { address: given, uiUrl: environment['TEMPORAL_UI_URL'] ?? 'http://127.0.0.1:8233' };
  }
  const binary = await findTemporalBinary({
    cacheDir: binaryCacheFolder(environment),
    environment,
    log: (text) => say(text.trimEnd()),
  });
  return supervisor.start('temporal', async (log) =>
    startTemporalServer({
      binary,
      port: ports.TEMPORAL_PORT,
      uiPort: ports.TEMPORAL_UI_PORT,
      dbFile: join(folder, 'temporal.db'),
      pidFile: join(folder, 'temporal.pid'),
      log,
    }),
  );
}

async function startSimulator(
  { supervisor, session, environment }: StartOptions,
  { gateway, journalFile }: { readonly gateway: Gateway; readonly journalFile: string },
): Promise<void> {
  if (usesTwilio(environment)) return;
  const { accountSid, authToken } = gateway;
  await supervisor.startNode({
    name: 'simulator',
    args: ['--import', 'tsx', 'cli/start.ts', 'simulator'],
    cwd: ROOT,
    env: {
      ...environment,
      SIMULATOR_PORT: String(session.ports.SIMULATOR_PORT),
      SIMULATOR_JOURNAL: journalFile,
      SIMULATOR_ACCOUNTS: JSON.stringify([{ accountSid, authToken }]),
    },
    readyMark: '{"simulator":"listening"',
    restarts: false,
  });
}

function chooseGateway({ keys, ports }: Session, environment: Environment): Gateway {
  if (usesTwilio(environment)) {
    return {
      accountSid: environment['TWILIO_ACCOUNT_SID'] ?? '',
      authToken: environment['TWILIO_AUTH_TOKEN'] ?? '',
      baseUrl: environment['TWILIO_BASE_URL'] ?? null,
    };
  }
  return {
    accountSid: keys.simulatorAccountSid,
    authToken: keys.simulatorAuthToken,
    baseUrl: `http://127.0.0.1:${ports.SIMULATOR_PORT}`,
  };
}

function usesTwilio(environment: Environment): boolean {
  return isSet(environment, 'TWILIO_ACCOUNT_SID') && isSet(environment, 'TWILIO_AUTH_TOKEN');
}

function isSet(environment: Environment, name: string): boolean {
  return (environment[name] ?? '') !== '';
}
