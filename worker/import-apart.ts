/**
 * Imports a large file in a process of its own, which gives back what it took: the heap of a worker grew by 300 MB and
 * kept them, and who sends from it waited for its garbage. Kills need no care: the cursor moves with each chunk.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { importFile } from '../activities/imports.ts';
import { createDatabase } from '../db/client.ts';
import { readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { isMain } from '../runtime/is-main.ts';

/** Left to itself, Node lets garbage pile up. With less than this it does little but collect it. */
const MEMORY = ['--max-old-space-size=148', '--max-semi-space-size=8'];

/** Each is a process of up to 300 MB that keeps a core and Postgres busy; the others wait for their turn. */
const AT_ONCE = 2;

/** Imports files. A signal kills the process of one at once: what was not stored yet is read again. */
export function createImportApart(): (importId: string, signal: AbortSignal) => Promise<void> {
  const limit = pLimit(AT_ONCE);
  return (importId, signal) =>
    limit(async () => {
      signal.throwIfAborted();
      await runApart(importId, signal);
    });
}

async function runApart(importId: string, signal: AbortSignal): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), [importId], {
    execArgv: ['--import', 'tsx', ...MEMORY],
    signal,
    killSignal: 'SIGKILL',
  });
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`the import's process ended with ${killedBy ?? `code ${code}`}`);
}

async function main(importId: string): Promise<void> {
  // The worker is gone: a successor goes on with the file.
  process.once('disconnect', () => process.exit(1));
  const config = readConfig();
  const log = createLogger({ level: config.LOG_LEVEL, process: 'import' });
  const database = createDatabase({
    url: config.DATABASE_ENGINE_URL,
    applicationName: 'groundswell-import',
    poolSize: 3,
    onError: (error) => log.warn({ error: String(error) }, 'a database connection was lost'),
  });
  try {
    await importFile(database, importId);
    process.exit(0);
  } catch (error) {
    log.error({ error: String(error) }, 'an import failed and will be tried again');
    process.exit(1);
  }
}

if (isMain(import.meta.url)) await main(process.argv[2] ?? '');
