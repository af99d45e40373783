/**
 * What a file of texts costs, without Temporal and without a network: one JSON line a figure. The texts lie on a real disk, the
 * planner knows nothing of their campaign, as an hour after a launch. Run: npx tsx bench/exports.ts --rows 1000000
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createExportActivities } from '../activities/exports.ts';
import { createDatabase, forOrg, type Database } from '../db/client.ts';
import { findExportView, readExportFile } from '../db/export-views.ts';
import { migrate } from '../db/migrate.ts';
import { asUser } from '../runtime/config.ts';
import { startEmbeddedPostgres } from '../runtime/embedded-postgres.ts';
import { addExport, addSentTexts, type ExportWish } from '../test/support/export-rows.ts';
import { createLedger } from '../test/support/ledger-rows.ts';
import { freePort } from '../test/support/ports.ts';
import { createReporter, type Reporter } from './figure.ts';

const { values } = parseArgs({ options: { rows: { type: 'string', default: '200000' } } });
const ROWS = Number(values.rows);
const TEXTS_AT_ONCE = 50_000;
const RSS_EVERY_MS = 50;

const DATA = fileURLToPath(new URL('../.data/', import.meta.url));
await mkdir(DATA, { recursive: true });
const folder = await mkdtemp(join(DATA, 'bench-'));
const server = await startEmbeddedPostgres({
  dataDir: join(folder, 'postgres'),
  port: await freePort(),
  password: randomBytes(16).toString('hex'),
  log: () => {},
});
try {
  await migrate(server.ownerUrl);
  const [engineUrl, apiUrl] = [
    asUser(server.ownerUrl, 'gw_engine'),
    asUser(server.ownerUrl, 'gw_api'),
  ];
  const database = createDatabase({ url: engineUrl, applicationName: 'bench', poolSize: 4 });
  const api = createDatabase({ url: apiUrl, applicationName: 'bench', poolSize: 4 });
  await measureAll(createReporter(), { database, api, urls: { ...server, engineUrl, apiUrl } });
  await Promise.all([database.close(), api.close()]);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function measureAll(
  reporter: Reporter,
  {
    database,
    api,
    urls,
  }: { database: Database; api: Database; urls: Parameters<typeof createLedger>[1] },
): Promise<void> {
  const ledger = await createLedger(database, urls);
  const { id: campaignId } = await ledger.addCampaign();
  for (let n = 0; n < ROWS; n += TEXTS_AT_ONCE) {
    const count = Math.min(TEXTS_AT_ONCE, ROWS - n);
    await addSentTexts(database, ledger, { count, campaignId });
  }
  reporter.say(`${ROWS} texts are there`);
  const wishes: Record<string, ExportWish> = {
    csv: { format: 'csv' },
    'csv of a campaign': { format: 'csv', campaignId },
    ndjson: { format: 'ndjson' },
  };
  for (const [name, wish] of Object.entries(wishes)) {
    const exportId = await addExport(database, ledger.orgId, wish);
    await measure(reporter, `write ${name}`, async () => {
      await createExportActivities({ database }).runExport({ exportId });
    });
    await measure(reporter, `read ${name}`, async () => {
      const tenant = forOrg(api, ledger.orgId);
      const row = await findExportView(tenant, exportId);
      if (row === null) throw new Error('the export is gone');
      let bytes = 0;
      for await (const piece of readExportFile(tenant, row)) bytes += piece.length;
      if (String(bytes) !== row.bytes || row.rowsDone < ROWS) throw new Error('rows are missing');
      reporter.say(`${name}: ${row.bytes} bytes in ${row.chunks} chunks`);
    });
  }
}

/** Rows a second, with the greatest memory that this process had meanwhile. */
async function measure(reporter: Reporter, name: string, work: () => Promise<void>): Promise<void> {
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
    value: ROWS / seconds,
    unit: 'rows/s',
    with: { rows: ROWS, seconds, nodeCpuSeconds: (user + system) / 1e6, rssMb: rss / 2 ** 20 },
  });
}
