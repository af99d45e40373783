import { writeSync } from 'node:fs';
import { createAccountLoader } from '../db/accounts.ts';
import { createDatabase } from '../db/client.ts';
import { createNotifier } from '../db/notifier.ts';
import { createPostgresStorage } from '../db/stored-objects.ts';
import { createProviders } from '../providers/registry.ts';
import { createFolderStorage } from '../storage/folder-storage.ts';
import { readOldKeys, type Config } from './config.ts';
import { armFaultPoints } from '../faults/points.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { createSecretBox } from './secrets.ts';

/** What every process of the engine shares in kind: built once, in this order, and closed in reverse. */
export function createRuntime(config: Config, process: string) {
  const log = createLogger({ level: config.LOG_LEVEL, process });
  // Written at once, not by the logger: the next moment may not come.
  armFaultPoints(config.FAULT_POINTS, (strike) =>
    writeSync(2, `${JSON.stringify({ fault: strike.point, action: strike.action })}\n`),
  );
  const onError = (error: Error): void =>
    log.warn({ error: String(error) }, 'a database connection was lost');
  const engine = createDatabase({
    url: config.DATABASE_ENGINE_URL,
    applicationName: `groundswell-${process}`,
    poolSize: config.DATABASE_POOL_SIZE,
    // A webhook's answer is due within 15 s.
    ...(process === 'worker' ? {} : { statementTimeoutMs: 8_000 }),
    onError,
  });
  const secrets = createSecretBox({
    key: config.KEY_ENCRYPTION_KEY,
    keyId: config.KEY_ENCRYPTION_KEY_ID,
    oldKeys: readOldKeys(config.KEY_ENCRYPTION_OLD_KEYS) ?? new Map(),
  });
  const providers = createProviders({
    twilio: { maxConcurrentSends: config.MAX_CONCURRENT_SENDS },
  });
  return {
    config,
    log,
    engine,
    secrets,
    providers,
    accounts: createAccountLoader(
      engine,
      (sealed, keyId) => secrets.open(sealed, keyId),
      config.TWILIO_BASE_URL ?? null,
    ),
    notifier: createNotifier(engine),
    storage:
      config.ARCHIVE_FOLDER === undefined
        ? createPostgresStorage(engine)
        : createFolderStorage(config.ARCHIVE_FOLDER),
    metrics: createMetrics({ process, database: engine }),
    /** The same database for HTTP requests: as gw_api, one org at a time. */
    createApiDatabase: () =>
      createDatabase({
        url: config.DATABASE_API_URL,
        applicationName: `groundswell-${process}-requests`,
        poolSize: config.DATABASE_POOL_SIZE,
        onError,
      }),
    close: async (): Promise<void> => {
      await providers.close();
      await engine.close();
    },
  };
}

export type Runtime = ReturnType<typeof createRuntime>;
