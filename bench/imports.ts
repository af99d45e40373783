/** A contact file of a million rows, imported while the API is used. */
import { join } from 'node:path';
import {
  anythingSchema as anything,
  importSchema,
  listSchema,
  type Import,
} from '../cli/demo-client.ts';
import { waitUntil } from '../test/support/wait-until.ts';
import { percentile, type Reporter } from './figure.ts';
import { startMachine, type Machine } from './machine.ts';
import { writePeopleFile, type PeopleFile } from './people-file.ts';
import { childrenOf, forgetPeak, readPeakMb, readUsage } from './processes.ts';
import { copyFloor } from './raw/copy.ts';
import type { Scenario } from './scenario.ts';

const ROWS = 1_000_000;
const WITHIN_MS = 600_000;
const CALL_EVERY_MS = 50;

export const imports: Scenario = {
  about: 'a contact file of a million rows, with the API in use meanwhile',
  run: async (reporter, options) => {
    const rows = options.size ?? ROWS;
    const machine = await startMachine({
      name: 'import',
      profile: options.profile,
      temporal: options.temporal,
    });
    try {
      const file = join(machine.folder, 'people.csv');
      const people = await writePeopleFile(file, { rows });
      reporter.say(`${rows} rows, ${(people.bytes / 2 ** 20).toFixed(0)} MB`);
      const seconds = await importFile(machine, reporter, { name: 'import', file, people });
      const copySeconds = await copyFloor(machine.stack.databaseUrls.ownerUrl, rows);
      reporter.add({
        name: 'import.raw.copy',
        value: copySeconds,
        unit: 's',
        ratio: copySeconds / seconds,
      });
      const abroad = join(machine.folder, 'abroad.csv');
      const foreign = await writePeopleFile(abroad, { rows, foreign: true });
      await importFile(machine, reporter, {
        name: 'import.foreign',
        file: abroad,
        people: foreign,
      });
    } finally {
      await machine.close();
    }
  },
};

async function importFile(
  machine: Machine,
  reporter: Reporter,
  {
    name,
    file,
    people,
  }: { readonly name: string; readonly file: string; readonly people: PeopleFile },
): Promise<number> {
  const { stack, meter } = machine;
  const { id } = await stack.api.post('/v1/contact-lists', listSchema, { name });
  const uploading = performance.now();
  const queued = await stack.api.upload(
    `/v1/contact-lists/${id}/imports?fileName=people.csv&defaultCountry=US`,
    importSchema,
    file,
  );
  const uploadSeconds = (performance.now() - uploading) / 1_000;
  const worker = stack.part('worker-1').pid();
  const idleMb = readUsage(worker)?.rssMb;
  forgetPeak(worker);
  const caller = createCaller(machine, id);
  const stop = meter.start();
  const from = performance.now();
  let importerMb = 0;
  const ended = await untilEnded(machine, queued, () => {
    for (const child of childrenOf(worker))
      importerMb = Math.max(importerMb, readPeakMb(child) ?? 0);
  });
  const seconds = (performance.now() - from) / 1_000;
  const cpu = stop();
  const calls = await caller.stop();
  expectSums(ended, people);
  reporter.add({
    name,
    value: people.rows / seconds,
    unit: 'rows/s',
    with: { rows: people.rows, mb: people.bytes / 2 ** 20, seconds, uploadSeconds, cpuMs: cpu },
  });
  reporter.add({ name: `${name}.seconds`, value: seconds, unit: 's' });
  reporter.add({
    name: `${name}.api.p99`,
    value: percentile(calls, 0.99),
    unit: 'ms',
    with: { calls: calls.length },
  });
  reporter.add({
    name: `${name}.rss`,
    value: importerMb,
    unit: 'MB',
    with: { workerMb: readPeakMb(worker), idleMb },
  });
  return seconds;
}

async function untilEnded({ stack }: Machine, { id }: Import, look: () => void): Promise<Import> {
  return waitUntil(
    async () => {
      look();
      const found = await stack.api.get(`/v1/imports/${id}`, importSchema);
      return ['queued', 'running'].includes(found.state) ? null : found;
    },
    { what: 'the import to end', timeoutMs: WITHIN_MS, everyMs: 200 },
  );
}

/** Somebody who uses the API while a file is imported. */
function createCaller({ stack }: Machine, listId: string) {
  const took: number[] = [];
  const stop = new AbortController();
  const paths = [
    '/v1/campaigns',
    `/v1/contact-lists/${listId}`,
    '/v1/messages?limit=50',
    '/v1/sender-pools',
  ];
  const loop = (async () => {
    for (let n = 0; !stop.signal.aborted; n += 1) {
      const from = performance.now();
      await stack.api.get(paths[n % paths.length] ?? '', anything);
      took.push(performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, CALL_EVERY_MS));
    }
  })();
  return {
    stop: async (): Promise<number[]> => {
      stop.abort();
      await loop;
      return took;
    },
  };
}

function expectSums({ state, rows, problem }: Import, people: PeopleFile): void {
  const rejected = people.bad + people.duplicates;
  if (
    state !== 'finished' ||
    rows.rejected < people.bad ||
    rows.accepted + rows.rejected !== people.rows
  )
    throw new Error(
      `the import ${state} (${problem?.message ?? ''}): ${JSON.stringify(rows)}, ${rejected} were to be rejected`,
    );
}
