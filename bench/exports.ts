/** Files of a million texts, written as the engine writes them and read back as the API does. */
import { createExportActivities } from '../activities/exports.ts';
import { createPostgresStorage } from '../db/stored-objects.ts';
import { createDatabase, forOrg, type Database } from '../db/client.ts';
import { findExportView, readExportFile } from '../db/export-views.ts';
import { asUser } from '../runtime/config.ts';
import { addExport, addSentTexts, type ExportWish } from '../test/support/export-rows.ts';
import type { Ledger } from '../test/support/ledger-rows.ts';
import type { Reporter } from './figure.ts';
import { withLedger } from './ledger.ts';
import type { Scenario } from './scenario.ts';

const ROWS = 1_000_000;
const TEXTS_AT_ONCE = 50_000;
const RSS_EVERY_MS = 50;

export const exports: Scenario = {
  about: 'texts a second into a CSV or NDJSON file, and out of it again',
  run: async (reporter, options) => {
    await withLedger('export', async ({ database, ledger, ownerUrl }) => {
      const api = createDatabase({
        url: asUser(ownerUrl, 'gw_api'),
        applicationName: 'bench',
        poolSize: 4,
      });
      try {
        await measureAll(reporter, { database, api, ledger }, options.size ?? ROWS);
      } finally {
        await api.close();
      }
    });
  },
};

async function measureAll(
  reporter: Reporter,
  {
    database,
    api,
    ledger,
  }: { readonly database: Database; readonly api: Database; readonly ledger: Ledger },
  rows: number,
): Promise<void> {
  const { id: campaignId } = await ledger.addCampaign();
  for (let n = 0; n < rows; n += TEXTS_AT_ONCE) {
    const count = Math.min(TEXTS_AT_ONCE, rows - n);
    await addSentTexts(database, ledger, { count, campaignId });
  }
  reporter.say(`${rows} texts are there`);
  const wishes: Record<string, ExportWish> = {
    csv: { format: 'csv' },
    campaign: { format: 'csv', campaignId },
    ndjson: { format: 'ndjson' },
  };
  for (const [name, wish] of Object.entries(wishes)) {
    const exportId = await addExport(database, ledger.orgId, wish);
    await measure(reporter, { name: `export.${name}`, rows }, async () => {
      await createExportActivities({
        database,
        storage: createPostgresStorage(database),
      }).runExport({ exportId });
    });
    await measure(reporter, { name: `export.${name}.download`, rows }, async () => {
      const tenant = forOrg(api, ledger.orgId);
      const row = await findExportView(tenant, exportId);
      if (row === null) throw new Error('the export is gone');
      let bytes = 0;
      for await (const piece of readExportFile(tenant, row)) bytes += piece.length;
      if (String(bytes) !== row.bytes || row.rowsDone < rows) throw new Error('rows are missing');
      reporter.say(`${name}: ${row.bytes} bytes in ${row.chunks} chunks`);
    });
  }
}

/** Rows a second, with the greatest memory that this process had meanwhile. */
async function measure(
  reporter: Reporter,
  { name, rows }: { readonly name: string; readonly rows: number },
  work: () => Promise<void>,
): Promise<void> {
  let rss = 0;
  const watch = setInterval(() => {
    rss = Math.max(rss, process.memoryUsage.rss());
  }, RSS_EVERY_MS);
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(watch);
  reporter.add({
    name,
    value: rows / seconds,
    unit: 'rows/s',
    with: { rows, seconds, nodeCpuSeconds: (user + system) / 1e6, rssMb: rss / 2 ** 20 },
  });
}
