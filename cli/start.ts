/** One process of the engine, or one administrative act: `npm start -- <command>`. */
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import type { Database } from '../db/client.ts';
import type * as KillSwitches from '../db/kill-switches.ts';
import { migrate } from '../db/migrate.ts';
import { ConfigError, describeConfig, readConfig } from '../runtime/config.ts';

/** A claim made just before a stop may start its request this long (ms); behind it nothing can. */
const HALT_MS = 600;

const HELP = `npm start -- <command>

  api                    the HTTP API and the webhooks
  ingest                 the webhooks alone, as a process of their own
  worker                 workflows and activities
  simulator              a server that speaks Twilio's API, for development
  migrate                brings the database at DATABASE_URL up to date
  create-org --name X    makes an org and its first API key
  stop-sending --reason X   stops everything that this deployment sends, at once
  resume-sending         lets it send again
  suppress-everywhere --phone +1… --reason X --evidence Y
                         keeps a number from every org: legal demands, litigators
  recover [--since T]    after the database was restored from a backup: learns from the
                         provider what was sent and said since, and ends safe mode
  rotate-keys            seals provider tokens with KEY_ENCRYPTION_KEY that older keys sealed
  verify-audit           checks the chain of seals over the audit log
  check-config           checks the environment and says what is wrong
  print-config           the settings as a Markdown table
  print-schema           the Prisma schema of the database at DATABASE_URL
`;

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  // Loaded only when asked for: a worker must not pay for the API, nor a migration for either.
  api: async () => {
    readConfig();
    await (await import('../api/main.ts')).runApi();
  },
  ingest: async () => {
    readConfig();
    await (await import('../api/main.ts')).runIngest();
  },
  worker: async () => {
    readConfig();
    await (await import('../worker/main.ts')).runWorker();
  },
  simulator: async () => {
    await import('../simulator/main.ts');
  },
  migrate: async () => {
    const applied = await migrate(ownerUrl());
    print(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`);
  },
  'create-org': createFirstKey,
  'stop-sending': stopSending,
  'resume-sending': async () => {
    const changed = await asEngine((database, { switchDeployment }) =>
      switchDeployment(database, true, null),
    );
    print(changed ? 'The deployment sends again.' : 'It was not stopped.');
  },
  'suppress-everywhere': suppressEverywhere,
  'rotate-keys': async () => {
    const { createRuntime } = await import('../runtime/runtime.ts');
    const { resealAccounts } = await import('../db/accounts.ts');
    const runtime = createRuntime(readConfig(), 'rotate-keys');
    const n = await resealAccounts(runtime.engine, runtime.secrets);
    await runtime.close();
    print(`${n} accounts were sealed anew with key ${runtime.secrets.keyId}.`);
  },
  'verify-audit': async () => {
    const { findBrokenSeals } = await import('../db/audit-seals.ts');
    const broken = await asEngine((database) => findBrokenSeals(database));
    for (const { orgId, n } of broken) print(`org ${orgId}: seal ${n} does not match its rows`);
    if (broken.length > 0) throw new UsageError('The audit log was changed.');
    print('Every seal matches its rows.');
  },
  recover: async (args) => {
    const { values } = parseArgs({ args: [...args], options: { since: { type: 'string' } } });
    const since = values.since === undefined ? null : new Date(values.since);
    if (since !== null && Number.isNaN(since.getTime()))
      throw new UsageError('recover --since needs an instant, such as 2026-01-31T12:00:00Z.');
    readConfig();
    await (await import('../worker/recover.ts')).runRecover(since, print);
  },
  'check-config': async () => {
    readConfig();
    print('The configuration is valid.');
  },
  'print-config': async () => print(describeConfig()),
  'print-schema': printSchema,
};

async function createFirstKey(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { name: { type: 'string' } } });
  if (values.name === undefined || values.name.trim() === '') {
    throw new UsageError('create-org needs --name, the name of the org.');
  }
  const { createOrg } = await import('../db/orgs.ts');
  const { orgId, apiKey } = await createOrg(ownerUrl(), { name: values.name });
  print(JSON.stringify({ orgId, apiKey }));
}

async function stopSending(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { reason: { type: 'string' } } });
  const changed = await asEngine((database, { switchDeployment }) =>
    switchDeployment(database, false, values.reason ?? null),
  );
  await new Promise((resolve) => setTimeout(resolve, HALT_MS));
  print(
    changed
      ? 'Nothing leaves this deployment any more. Resume with: npm start -- resume-sending'
      : 'It was stopped before.',
  );
}

async function suppressEverywhere(args: readonly string[]): Promise<void> {
  const option = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { phone: option, reason: option, evidence: option },
  });
  const { phone = '', reason = '', evidence = '' } = values;
  if (!/^\+[1-9]\d{6,14}$/.test(phone) || reason === '' || evidence === '') {
    throw new UsageError(
      'suppress-everywhere needs --phone in E.164 (+12125550123), --reason and --evidence.',
    );
  }
  const { suppressPlatform } = await import('../db/suppressions.ts');
  const fresh = await asEngine((database) =>
    suppressPlatform(database, { address: phone, reason, evidence }),
  );
  await new Promise((resolve) => setTimeout(resolve, HALT_MS));
  print(fresh ? 'No org texts this number any more.' : 'It was suppressed before.');
}

/** Works on the database as the engine does; row security binds even its owner. */
async function asEngine<Result>(
  work: (database: Database, switches: typeof KillSwitches) => Promise<Result>,
): Promise<Result> {
  const { createDatabase } = await import('../db/client.ts');
  const url = new URL(ownerUrl());
  url.username = 'gw_engine';
  const database = createDatabase({
    url: url.href,
    applicationName: 'groundswell-switch',
    poolSize: 1,
  });
  try {
    return await work(database, await import('../db/kill-switches.ts'));
  } finally {
    await database.close();
  }
}

async function printSchema(): Promise<void> {
  const { generateSchema } = await import('../prisma/generate-schema.ts');
  const client = new Client({ connectionString: ownerUrl() });
  await client.connect();
  try {
    process.stdout.write(await generateSchema(client));
  } finally {
    await client.end();
  }
}

/** What was typed is wrong: the message alone is the help. */
class UsageError extends Error {}

/** Administrative acts need the database and nothing else of the configuration. */
function ownerUrl(): string {
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') throw new UsageError('DATABASE_URL is not set.');
  return url;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Whoever started us was killed: stop as if we were asked to. */
function followParent(): void {
  if (process.channel === undefined) return;
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}

async function main(): Promise<void> {
  const [name = '', ...args] = process.argv.slice(2);
  if (name === '' || name === '--help' || name === 'help') return print(HELP.trimEnd());
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UsageError(`Unknown command "${name}".\n\n${HELP}`);
  followParent();
  await command(args);
}

try {
  await main();
} catch (error) {
  process.exitCode = 1;
  const isPlain = error instanceof ConfigError || error instanceof UsageError;
  const text = error instanceof Error && !isPlain ? withCauses(error) : (error as Error).message;
  process.stderr.write(`${text}\n`);
  // A half-started process may hold sockets that would keep it alive.
  if (!isPlain) process.exit(1);
}

/** The message and what lies behind it, without stacks: this is read by an operator. */
function withCauses(error: Error): string {
  const cause = error.cause instanceof Error ? `\n  because: ${withCauses(error.cause)}` : '';
  const code = (error as { code?: string }).code;
  const text = error.message === '' ? (code ?? error.name) : error.message;
  return `${text}${cause}`;
}
