/**
 * All SQL lives in this folder, in functions named for the question they answer. Ordinary reads and
 * writes go through Prisma's models, hot set-based statements through `query`.
 */
import { createHash } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import { type Prisma, PrismaClient } from '../prisma/generated/client.ts';

export interface DatabaseOptions {
  /** Connects as gw_engine or gw_api; never as the owner. */
  readonly url: string;
  readonly applicationName: string;
  /** Connections at most. */
  readonly poolSize: number;
  /** The longest a statement may take, in milliseconds. Default 60,000. */
  readonly statementTimeoutMs?: number;
  readonly onError?: (error: Error) => void;
}

export interface Database {
  readonly prisma: PrismaClient;
  readonly url: string;
  /** Runs one hand-written statement as a named prepared statement; retries a deadlock or lost race. */
  query<Row>(sql: string, ...parameters: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** The database as one org sees it: every call is one batch transaction that names the org first. */
export interface TenantDatabase {
  readonly orgId: string;
  query<Row>(sql: string, ...parameters: readonly unknown[]): Promise<Row[]>;
  /** Runs one Prisma model operation. */
  run<Result>(make: (prisma: PrismaClient) => Prisma.PrismaPromise<Result>): Promise<Result>;
}

/** Deadlock and serialization failure: the statement did nothing and may run again. */
const RETRYABLE_STATES = new Set(['40P01', '40001']);
const MAX_TRIES = 4;
/**
 * No statement may prune partitions while it runs: Postgres 18.4 crashes, or changes nothing, where such a statement
 * also waited for a row lock. See docs/decisions/0003.
 */
const SESSION = 'set enable_partition_pruning = off';
const statementNames = new Map<string, string>();
/**
 * Begins a statement that is planned for each call, with what the tables hold by then. A prepared one keeps the plan
 * of an empty table until somebody analyzes it.
 */
export const PLANNED_ANEW = '-- planned anew';

export function createDatabase(options: DatabaseOptions): Database {
  const timeoutMs = options.statementTimeoutMs ?? 60_000;
  const pool = new Pool({
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.poolSize,
    connectionTimeoutMillis: 5_000,
    // Bounds every statement, also where the server no longer answers: a hung one must not hold a webhook or a
    // claim for ever.
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs + 2_000,
    keepAlive: true,
    idle_in_transaction_session_timeout: 30_000,
    // Not `verify`: nobody would listen for the end of a connection that is lost meanwhile.
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it, which its types do not say
    onConnect: (client) => client.query(SESSION),
  });
  pool.on('error', (error) => options.onError?.(error));
  const adapter = new PrismaPg(pool, {
    disposeExternalPool: true,
    statementNameGenerator: ({ sql }) => statementName(sql),
  });
  const prisma = new PrismaClient({ adapter });
  return {
    prisma,
    url: options.url,
    query: (sql, ...parameters) =>
      withRetry(() => prisma.$queryRawUnsafe(sql, ...parameters.map(toParameter))),
    close: () => prisma.$disconnect(),
  };
}

/** Narrows a database that connects as gw_api to one org. */
export function forOrg(database: Database, orgId: string): TenantDatabase {
  const { prisma } = database;
  const run = async <Result>(
    make: (prisma: PrismaClient) => Prisma.PrismaPromise<Result>,
  ): Promise<Result> =>
    withRetry(async () => {
      const [, result] = await prisma.$transaction([
        prisma.$queryRaw`select set_config('app.org', ${orgId}, true)`,
        make(prisma),
      ]);
      return result;
    });
  return {
    orgId,
    run,
    query: <Row>(sql: string, ...parameters: readonly unknown[]) =>
      run<Row[]>((client) => client.$queryRawUnsafe<Row[]>(sql, ...parameters.map(toParameter))),
  };
}

/** The SQLSTATE behind an error of Prisma or pg, if there is one. */
export function sqlState(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  const { meta, code, cause } = error as { meta?: unknown; code?: unknown; cause?: unknown };
  const driver = readPath(meta, ['driverAdapterError', 'cause', 'originalCode']);
  if (typeof driver === 'string') return driver;
  const original = readPath(cause, ['originalCode']);
  if (typeof original === 'string') return original;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('P2')
    ? code
    : null;
}

/** An error for logs and tables: its name or SQLSTATE, never its text, which may quote a row. */
export function errorKind(error: unknown): string {
  return sqlState(error) ?? (error instanceof Error ? error.name : 'unknown');
}

/** True where the data itself is refused (class 22 or 23), so that trying again cannot help. */
export function isDataError(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && (state.startsWith('22') || state.startsWith('23'));
}

async function withRetry<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= MAX_TRIES || !RETRYABLE_STATES.has(sqlState(error) ?? '')) throw error;
    }
  }
}

/** pg refuses one name with two texts on a connection, so the name is a hash of the text. */
function statementName(sql: string): string {
  if (sql.startsWith(PLANNED_ANEW)) return '';
  const known = statementNames.get(sql);
  if (known !== undefined) return known;
  const name = createHash('sha256').update(sql).digest('base64url').slice(0, 24);
  if (statementNames.size < 2_000) statementNames.set(sql, name);
  return name;
}

function toParameter(value: unknown): unknown {
  return value === undefined ? null : value;
}

function readPath(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}
