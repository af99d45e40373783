import { createRoute, z } from '@hono/zod-openapi';
import { createRouter, type ApiDeps } from '../context.ts';
import { describeProblems } from '../errors.ts';
import { ok } from '../schemas/common.ts';

const tags = ['System'];
const security: Record<string, string[]>[] = [];

const ReadySchema = z
  .object({
    ready: z.boolean().describe('Whether requests can be taken.'),
    checks: z.record(z.string(), z.boolean()).describe('Each thing that must work.'),
  })
  .openapi('Ready');

const health = createRoute({
  method: 'get',
  path: '/healthz',
  tags,
  security,
  summary: 'Says that the process is up',
  responses: {
    200: ok('It is.', z.object({ status: z.literal('ok') })),
    ...describeProblems(['internal']),
  },
});

const readiness = createRoute({
  method: 'get',
  path: '/readyz',
  tags,
  security,
  summary: 'Says whether requests can be taken',
  responses: {
    200: ok('They can.', ReadySchema),
    503: ok('They cannot.', ReadySchema),
    ...describeProblems(['internal']),
  },
});

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  tags,
  security,
  summary: 'Metrics for Prometheus',
  responses: {
    200: { description: 'Metrics.', content: { 'text/plain': { schema: z.string() } } },
    ...describeProblems(['internal']),
  },
});

export function createSystemRoutes(deps: ApiDeps) {
  const router = createRouter()
    .openapi(health, (c) => c.json({ status: 'ok' as const }, 200))
    .openapi(readiness, async (c) => {
      const checks = await deps.ready();
      const ready = Object.values(checks).every(Boolean);
      return ready ? c.json({ ready, checks }, 200) : c.json({ ready, checks }, 503);
    });
  router.openapi(metrics, async (c) => {
    const { contentType, body } = await deps.metrics();
    return c.text(body, 200, { 'Content-Type': contentType });
  });
  return router;
}
