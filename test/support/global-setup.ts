/** One Postgres and one Temporal for all integration tests of a run. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../db/migrate.ts';
import { startEmbeddedPostgres, stopEarlierServer } from '../../runtime/embedded-postgres.ts';
import { binaryCacheFolder, findTemporalBinary } from '../../runtime/temporal-binary.ts';
import { startTemporalServer, stopEarlierTemporal } from '../../runtime/temporal-server.ts';
import { freePort } from './ports.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The server's maintenance database as gw_owner. */
    ownerUrl: string;
    /** The name of the migrated database that tests clone. */
    templateDatabase: string;
    temporalAddress: string;
  }
}

const TEST_DATA = fileURLToPath(new URL('../../.data/test/', import.meta.url));
const quiet = (): void => {};

/** Called by vitest; what it returns is called after the last test. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeLeftovers();
  const folder = join(TEST_DATA, String(process.pid));
  await mkdir(folder, { recursive: true });
  const stops: (() => Promise<void>)[] = [async () => rm(folder, { recursive: true, force: true })];
  const teardown = async (): Promise<void> => {
    for (const stop of stops.toReversed()) await stop();
  };
  const keep = <Part extends { readonly stop: () => Promise<void> }>(part: Part): Part => {
    stops.push(part.stop);
    return part;
  };
  const results = await Promise.allSettled([
    onAnotherPort(async () => startPostgres(folder)).then(keep),
    onAnotherPort(async () => startTemporal(folder)).then(keep),
  ]);
  try {
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const [postgres, temporal] = results.map((result) =>
      result.status === 'fulfilled' ? result.value : undefined,
    );
    const { ownerUrl, templateDatabase } = postgres as Awaited<ReturnType<typeof startPostgres>>;
    project.provide('ownerUrl', ownerUrl);
    project.provide('templateDatabase', templateDatabase);
    project.provide(
      'temporalAddress',
      (temporal as Awaited<ReturnType<typeof startTemporal>>).address,
    );
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}

/** Somebody else may take a port between the moment it was free and the moment it is used. */
async function onAnotherPort<Part>(start: () => Promise<Part>): Promise<Part> {
  return start().catch(async () => start());
}

async function startPostgres(folder: string) {
  const server = await startEmbeddedPostgres({
    dataDir: join(folder, 'postgres'),
    port: await freePort(),
    password: randomBytes(16).toString('hex'),
    // A power cut need not be survived; nothing else changes its meaning.
    settings: { fsync: 'off', full_page_writes: 'off', shared_buffers: '128MB' },
    log: quiet,
  });
  try {
    const templateDatabase = await createTemplate(server.ownerUrl);
    return { ...server, templateDatabase };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The server's own database stays empty: a database can only be cloned while nobody is connected to it. */
async function createTemplate(ownerUrl: string): Promise<string> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query('drop database if exists gw_template');
  await client.query('create database gw_template');
  await client.end();
  const templateUrl = new URL(ownerUrl);
  templateUrl.pathname = '/gw_template';
  await migrate(templateUrl.href);
  return 'gw_template';
}

async function startTemporal(folder: string) {
  const binary = await findTemporalBinary({
    cacheDir: binaryCacheFolder(process.env),
    environment: process.env,
    log: (text) => void process.stderr.write(text),
  });
  return startTemporalServer({
    binary,
    port: await freePort(),
    uiPort: await freePort(),
    dbFile: null,
    pidFile: join(folder, 'temporal.pid'),
    log: quiet,
  });
}

/** A killed run leaves its servers behind; its folder bears its process number. */
async function removeLeftovers(): Promise<void> {
  const names = await readdir(TEST_DATA).catch(() => []);
  for (const name of names) {
    if (isAlive(Number(name))) continue;
    const folder = join(TEST_DATA, name);
    await stopEarlierServer(join(folder, 'postgres'));
    await stopEarlierTemporal(join(folder, 'temporal.pid'));
    await rm(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
