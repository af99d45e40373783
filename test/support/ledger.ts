import { afterAll, beforeAll } from 'vitest';
import { createDatabase } from '../../db/client.ts';
import { createTestDatabase } from './database.ts';
import { createLedger, type Ledger } from './ledger-rows.ts';

export { TEST_KEY, TEST_TOKEN, type Ledger, type TestCampaign } from './ledger-rows.ts';

/** Gives the tests of a file an org with an account, a pool of two senders, and campaigns at will. */
export function withLedger(): () => Ledger {
  let ledger: Ledger | null = null;
  let stop = async (): Promise<void> => {};
  beforeAll(async () => {
    const urls = await createTestDatabase();
    const database = createDatabase({ url: urls.engineUrl, applicationName: 'test', poolSize: 12 });
    stop = async () => {
      await database.close();
      await urls.drop();
    };
    ledger = await createLedger(database, urls);
  });
  afterAll(async () => stop());
  return () => {
    if (ledger === null) throw new Error('the ledger is there only inside hooks and tests');
    return ledger;
  };
}
