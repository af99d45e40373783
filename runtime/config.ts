/**
 * What every process is built from, once, and handed down: configuration, logger, databases,
 * providers, Temporal. Nothing else reads the environment.
 */
import { z } from 'zod';
import { parseFaultPoints, type ArmedFault } from '../faults/points.ts';

/** Reads `k1:base64,k2:base64`; null where it is something else. */
export function readOldKeys(text: string): Map<string, string> | null {
  const keys = new Map<string, string>();
  for (const entry of text.split(',').filter((part) => part.trim() !== '')) {
    const [name, key] = entry.trim().split(/:(.*)/s);
    if (name === undefined || name === '' || Buffer.from(key ?? '', 'base64').length !== 32)
      return null;
    keys.set(name, key ?? '');
  }
  return keys;
}

const port = z.coerce.number().int().min(0).max(65_535);
const milliseconds = z.coerce.number().int().min(1);
/** Task queues that a worker may poll. */
const QUEUES = ['engine', 'sending', 'files'];
const days = z.coerce.number().int().min(0).max(36_500);

/** One setting: its environment name is the key, its meaning stands in `describe`. */
const schema = z.object({
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .describe('Postgres as the owner, for migrations. Dev and demo start an embedded one.'),
  DATABASE_ENGINE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .describe('Postgres as gw_engine. Default: DATABASE_URL with the user gw_engine.'),
  DATABASE_API_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .describe('Postgres as gw_api. Default: DATABASE_URL with the user gw_api.'),
  DATABASE_POOL_SIZE: z.coerce
    .number()
    .int()
    .min(2)
    .max(200)
    .default(10)
    .describe('Connections per role and process.'),
  TEMPORAL_ADDRESS: z
    .string()
    .min(3)
    .describe('host:port of Temporal. Dev and demo start a dev server.'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default').describe('Temporal namespace.'),
  TEMPORAL_UI_URL: z
    .url()
    .default('http://127.0.0.1:8233')
    .describe('Where links to workflows point.'),
  TEMPORAL_STARTS_PER_SECOND: z.coerce
    .number()
    .positive()
    .default(20)
    .describe(
      'Conversation workflows that first texts may start a second; faster campaigns use first_reply.',
    ),
  WORKER_QUEUES: z
    .string()
    .default(QUEUES.join(','))
    .describe(
      'Task queues this worker polls, by comma: engine (workflows and their activities), sending, files (imports, exports, archives).',
    ),
  BEAT_FILE: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File in which a worker mirrors the deployment’s beat, beside its note in Temporal: a restored database is known by it. On a disk that is not restored with the database.',
    ),
  HOST: z.string().default('127.0.0.1').describe('Address that the API and ingest listen on.'),
  API_PORT: port.default(8080).describe('Port of the API.'),
  INGEST_PORT: port
    .default(8081)
    .describe('Port of the webhook ingest when it runs as its own process.'),
  METRICS_PORT: port.default(0).describe('Port of a worker’s /metrics and /healthz; 0 is none.'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .describe(
      'Origin under which the provider reaches our webhooks; signatures are checked against it.',
    ),
  KEY_ENCRYPTION_KEY: z
    .base64()
    .refine(
      (text) => Buffer.from(text, 'base64').length === 32,
      'must be 32 bytes in base64 (openssl rand -base64 32)',
    )
    .describe('Encrypts provider tokens. Dev and demo make one.'),
  KEY_ENCRYPTION_KEY_ID: z
    .string()
    .min(1)
    .max(64)
    .default('k1')
    .describe('Name of that key, kept beside what it encrypted.'),
  KEY_ENCRYPTION_OLD_KEYS: z
    .string()
    .default('')
    .refine((text) => readOldKeys(text) !== null, 'must be name:base64 of 32 bytes, by comma')
    .describe(
      'Keys of before as name:key, by comma: what they encrypted is still read. `npm start -- rotate-keys` seals it anew.',
    ),
  TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-fA-F]{32}$/, 'must be AC and 32 hex digits')
    .optional()
    .describe('An account to set up for the first org at start.'),
  TWILIO_AUTH_TOKEN: z.string().min(8).optional().describe('Its auth token.'),
  TWILIO_BASE_URL: z
    .url({ protocol: /^https?$/ })
    .refine(isSafeBaseUrl, 'must be https, or http on loopback')
    .optional()
    .describe(
      'Another server that speaks Twilio’s API, for accounts that name none; loopback or https.',
    ),
  MAX_CONCURRENT_SENDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(2_000)
    .default(64)
    .describe('Sockets to a provider, per worker.'),
  SEND_DEADLINE_MS: milliseconds.default(10_000).describe('The whole of one POST to the provider.'),
  RECONCILE_LAG_MS: milliseconds
    .default(600_000)
    .describe('How far a provider’s list may lag behind its creates.'),
  RECONCILE_BACKOFF_MS: milliseconds
    .default(30_000)
    .describe('First pause between two looks for an unknown text.'),
  MAINTENANCE_EVERY_MS: milliseconds
    .default(15_000)
    .describe('Pause between two rounds of reconcile, gap filling and folding of counters.'),
  ARCHIVE_AFTER_DAYS: days
    .default(90)
    .describe(
      'Days after the end of a month and of its campaigns until its texts go to files; 0: never. [docs/archives.md](docs/archives.md)',
    ),
  ARCHIVE_GRACE_DAYS: days
    .default(7)
    .describe('Days between the detaching of a month’s rows and their drop.'),
  ARCHIVES_KEPT_DAYS: days
    .default(0)
    .describe('Days until archived texts are purged for good; 0: never.'),
  ARCHIVE_FOLDER: z
    .string()
    .startsWith('/', 'must be an absolute path')
    .optional()
    .describe('Folder for archives, on a mount that every process shares. Default: in Postgres.'),
  EVENTS_KEPT_DAYS: days
    .default(90)
    .describe('Days after the end of a month until its raw delivery reports go; 0: never.'),
  MAX_UPLOAD_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(2_147_483_648)
    .describe('Largest contact file.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged.'),
});

export type Config = z.infer<typeof schema> & {
  readonly DATABASE_ENGINE_URL: string;
  readonly DATABASE_API_URL: string;
  /** For tests alone; no setting of an operator, so it stands in no table. */
  readonly FAULT_POINTS: readonly ArmedFault[];
};

/** Every setting that is wrong, one line each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`Wrong configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Reads the environment once; throws a ConfigError that names every problem, before anything opens. */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  // An empty variable is an absent one: `FOO= npm start` means "use the default".
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => describeIssue(issue, given));
  if ((given['TWILIO_ACCOUNT_SID'] === undefined) !== (given['TWILIO_AUTH_TOKEN'] === undefined)) {
    problems.push('TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN: set both or neither');
  }
  const unknown = (given['WORKER_QUEUES'] ?? QUEUES.join(','))
    .split(',')
    .filter((name) => !QUEUES.includes(name));
  if (unknown.length > 0)
    problems.push(
      `WORKER_QUEUES: unknown queue ${unknown.join(', ')}; choose of ${QUEUES.join(', ')}`,
    );
  const faults = readFaultPoints(given);
  problems.push(...faults.problems);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  const { data } = parsed;
  return {
    ...data,
    FAULT_POINTS: faults.armed,
    DATABASE_ENGINE_URL: data.DATABASE_ENGINE_URL ?? asUser(data.DATABASE_URL, 'gw_engine'),
    DATABASE_API_URL: data.DATABASE_API_URL ?? asUser(data.DATABASE_URL, 'gw_api'),
  };
}

/** An engine that kills itself on request must not exist outside of tests, whoever sets the variable. */
function readFaultPoints(given: Readonly<Record<string, string | undefined>>): {
  readonly armed: readonly ArmedFault[];
  readonly problems: readonly string[];
} {
  const text = given['FAULT_POINTS'];
  if (text === undefined) return { armed: [], problems: [] };
  if (given['NODE_ENV'] !== 'test') {
    const problem = 'FAULT_POINTS: makes processes fail, for tests only (NODE_ENV=test); unset it';
    return { armed: [], problems: [problem] };
  }
  const parsed = parseFaultPoints(text);
  if (!parsed.ok) return { armed: [], problems: [`FAULT_POINTS: ${parsed.problem}`] };
  return { armed: parsed.value, problems: [] };
}

/** The settings as rows of a Markdown table, for the README. */
export function describeConfig(): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const required = new Set(json.required);
  const rows = Object.entries(json.properties ?? {}).map(([name, property]) => {
    const { description, default: fallback } = property as {
      description?: string;
      default?: unknown;
    };
    const value =
      fallback === undefined
        ? required.has(name)
          ? 'required'
          : ''
        : `\`${JSON.stringify(fallback).replaceAll('"', '')}\``;
    return `| \`${name}\` | ${value} | ${description ?? ''} |`;
  });
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

/** The same database as another user, with the same password. */
export function asUser(databaseUrl: string, user: string): string {
  const url = new URL(databaseUrl);
  url.username = user;
  return url.href;
}

function describeIssue(issue: z.core.$ZodIssue, given: Readonly<Record<string, unknown>>): string {
  const name = issue.path.join('.');
  return given[name] === undefined ? `${name}: is not set` : `${name}: ${issue.message}`;
}

function isSafeBaseUrl(text: string): boolean {
  const url = new URL(text);
  return url.protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
}
