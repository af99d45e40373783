/** The floor of a webhook: a Hono route that answers 204, alone or behind our signature check. Started with a port and a mode. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { verifyTwilioWebhook } from '../../providers/twilio-webhooks.ts';

const { port, mode, origin, accountSid, authToken } = z
  .object({
    port: z.number(),
    mode: z.enum(['bare', 'signed']),
    origin: z.string(),
    accountSid: z.string(),
    authToken: z.string(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'));

const account = { id: 'raw', accountSid, authTokens: [authToken], baseUrl: null } as const;
const app = new Hono();
app.post('*', async (c) => {
  if (mode === 'bare') return c.body(null, 204);
  const genuine = verifyTwilioWebhook(account, {
    url: origin + c.req.path,
    signature: c.req.header('x-twilio-signature') ?? null,
    contentType: c.req.header('content-type') ?? null,
    rawBody: await c.req.text(),
  });
  return c.body(null, genuine ? 204 : 403);
});
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () =>
  process.stdout.write('{"raw":"ready"}\n'),
);
process.once('disconnect', () => server.close(() => process.exit()));
