import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../db/client.ts';

/** Prometheus metrics of one process. */
export function createMetrics(options: {
  readonly process: string;
  readonly database: Database | null;
}) {
  const registry = new Registry();
  registry.setDefaultLabels({ process: options.process });
  collectDefaultMetrics({ register: registry });
  const posts = new Counter({
    name: 'groundswell_posts_total',
    help: 'POSTs to providers by outcome: accepted, refused, unknown, not-started.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const webhooks = new Histogram({
    name: 'groundswell_webhook_seconds',
    help: 'Time from a webhook’s arrival to our answer, by kind and status.',
    labelNames: ['kind', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  const { database } = options;
  if (database !== null) {
    const outbox = new Gauge({
      name: 'groundswell_outbox_doorbells',
      help: 'Doorbells that Temporal has not taken yet.',
      registers: [registry],
      collect: async () => {
        const [row] = await database.query<{ n: number }>('select count(*)::int as n from outbox');
        outbox.set(row?.n ?? 0);
      },
    });
    const unknown = new Gauge({
      name: 'groundswell_unknown_texts',
      help: 'Texts whose fate nobody knows yet.',
      registers: [registry],
      collect: async () => {
        const [row] = await database.query<{ n: number }>(
          `select count(*)::int as n from message where state = 'unknown'`,
        );
        unknown.set(row?.n ?? 0);
      },
    });
  }
  return {
    countPost: (outcome: string): void => posts.inc({ outcome }),
    observeWebhook: (kind: string, status: number, seconds: number): void =>
      webhooks.observe({ kind, status: String(status) }, seconds),
    read: async (): Promise<{ contentType: string; body: string }> => ({
      contentType: registry.contentType,
      body: await registry.metrics(),
    }),
  };
}
