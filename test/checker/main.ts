/** Judges a run from the command line: exit code 1 when a promise was broken, 2 when nothing could be judged. */
import { parseArgs } from 'node:util';
import { check, formatVerdicts } from './check.ts';

const { values } = parseArgs({
  options: {
    journal: { type: 'string' },
    clients: { type: 'string' },
    database: { type: 'string' },
    healed: { type: 'boolean', default: false },
    kills: { type: 'string' },
    sockets: { type: 'string' },
  },
});

async function main(): Promise<number> {
  const { journal, database, kills, sockets } = values;
  if (journal === undefined || database === undefined) {
    process.stderr.write(
      'main.ts --journal F --database URL [--clients F] [--healed] [--kills N --sockets N]\n',
    );
    return 2;
  }
  const verdicts = await check({
    databaseUrl: database,
    providerJournal: journal,
    clientJournal: values.clients ?? null,
    expectations: {
      healed: values.healed,
      ...(kills === undefined || sockets === undefined
        ? {}
        : { bounds: { kills: Number(kills), sockets: Number(sockets) } }),
    },
  });
  process.stdout.write(formatVerdicts(verdicts));
  return verdicts.every(({ ok }) => ok) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
