/* oxlint-disable node/no-process-env -- a stranger's server: it does not read the engine's configuration */
import { z } from 'zod';
import { accountSchema, settingsSchema } from './settings.ts';
import { createSimulator } from './server.ts';

const numberSchema = z.coerce.number().optional();
/** `250` or `100-2000`. */
const rangeSchema = z
  .string()
  .regex(/^\d+(?:-\d+)?$/)
  .transform((text): [number, number] => {
    const [low = 0, high = low] = text.split('-').map(Number);
    return [low, high];
  })
  .optional();

const environmentSchema = z.object({
  SIMULATOR_HOST: z.string().default('127.0.0.1'),
  SIMULATOR_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  SIMULATOR_SEED: z.coerce.number().int().default(1),
  SIMULATOR_JOURNAL: z.string().optional(),
  SIMULATOR_ACCOUNTS: z
    .string()
    .default('[]')
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(accountSchema)),
  SIMULATOR_LATENCY_MS: numberSchema,
  SIMULATOR_LIST_LAG_MS: numberSchema,
  SIMULATOR_SENT_DELAY_MS: rangeSchema,
  SIMULATOR_DELIVERED_DELAY_MS: rangeSchema,
  SIMULATOR_FAILURE_SHARE: numberSchema,
  SIMULATOR_REPLY_SHARE: numberSchema,
  SIMULATOR_REPLY_DELAY_MS: rangeSchema,
  SIMULATOR_WEBHOOK_CONCURRENCY: numberSchema,
});

const environment = environmentSchema.parse(process.env);
const simulator = createSimulator({
  seed: environment.SIMULATOR_SEED,
  host: environment.SIMULATOR_HOST,
  journalFile: environment.SIMULATOR_JOURNAL ?? null,
  accounts: environment.SIMULATOR_ACCOUNTS,
  settings: settingsSchema.parse({
    latencyMs: environment.SIMULATOR_LATENCY_MS,
    listLagMs: environment.SIMULATOR_LIST_LAG_MS,
    sentDelayMs: environment.SIMULATOR_SENT_DELAY_MS,
    deliveredDelayMs: environment.SIMULATOR_DELIVERED_DELAY_MS,
    failureShare: environment.SIMULATOR_FAILURE_SHARE,
    replyShare: environment.SIMULATOR_REPLY_SHARE,
    replyDelayMs: environment.SIMULATOR_REPLY_DELAY_MS,
    webhookConcurrency: environment.SIMULATOR_WEBHOOK_CONCURRENCY,
  }),
});
const running = await simulator.start(environment.SIMULATOR_PORT);
process.stdout.write(
  `${JSON.stringify({ simulator: 'listening', url: running.url, port: running.port, pid: process.pid })}\n`,
);

let isStopping = false;
async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await running.close();
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());
