import { createRoute } from '@hono/zod-openapi';
import { findCampaign } from '../../db/campaign-drafts.ts';
import { findSuppressionOf, listMessages, traceMessage } from '../../db/message-views.ts';
import { archivesOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { orNotFound, problems, refusePurged, textsPurged } from '../errors.ts';
import { cutPage, pageOf, readIdCursor } from '../paging.ts';
import { redactDetail, redactorFor } from '../redact.ts';
import { IdParam, ok } from '../schemas/common.ts';
import { MessageSchema, MessagesQuery, MessageTraceSchema } from '../schemas/messages.ts';

const tags = ['Messages'];

const ofCampaign = createRoute({
  method: 'get',
  path: '/v1/campaigns/{id}/messages',
  tags,
  summary: 'Lists the texts of a campaign',
  description: 'Outbound ones, the newest first.',
  request: { params: IdParam, query: MessagesQuery },
  responses: {
    200: ok('A page of texts.', pageOf(MessageSchema)),
    ...problems('invalid-cursor', 'not-found', 'texts-purged'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/messages',
  tags,
  summary: 'Lists texts, out and in',
  request: { query: MessagesQuery },
  responses: { 200: ok('A page of texts.', pageOf(MessageSchema)), ...problems('invalid-cursor') },
});

const trace = createRoute({
  method: 'get',
  path: '/v1/messages/{id}',
  tags,
  summary: 'Shows all that is known about one text',
  description: 'Every try, every report, and the rule that kept it back.',
  request: { params: IdParam },
  responses: {
    200: ok('The text.', MessageTraceSchema),
    ...problems('not-found', 'texts-purged'),
  },
});

export function createMessageRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(ofCampaign, async (c) => {
      const tenant = tenantOf(deps, c);
      const { limit, cursor, state } = c.req.valid('query');
      const beforeId = readIdCursor(cursor);
      const campaign = orNotFound(await findCampaign(tenant, c.req.valid('param').id), 'campaign');
      refusePurged(campaign);
      const { id: campaignId } = campaign;
      const filter = { beforeId, limit: limit + 1, campaignId, ...(state ? { state } : {}) };
      const rows = await listMessages(archivesOf(deps, c), filter);
      const redacted = rows.map(redactorFor(c.var.caller));
      return c.json(
        cutPage(redacted, limit, (row) => row.id),
        200,
      );
    })
    .openapi(list, async (c) => {
      const { limit, cursor, state } = c.req.valid('query');
      const filter = {
        beforeId: readIdCursor(cursor),
        limit: limit + 1,
        ...(state ? { state } : {}),
      };
      const rows = await listMessages(archivesOf(deps, c), filter);
      const redacted = rows.map(redactorFor(c.var.caller));
      return c.json(
        cutPage(redacted, limit, (row) => row.id),
        200,
      );
    })
    .openapi(trace, async (c) => {
      const tenant = tenantOf(deps, c);
      const { caller } = c.var;
      const redact = redactorFor(caller);
      const found = await traceMessage(archivesOf(deps, c), c.req.valid('param').id);
      if (found === 'purged') throw textsPurged('This text, if there was one, was purged.');
      const { message: row, events, tries } = orNotFound(found, 'message');
      const suppression = row.reason === 'opted_out' ? await findSuppressionOf(tenant, row) : null;
      return c.json(
        {
          ...redact(row),
          events: events.map((event) => ({ ...event, detail: redactDetail(caller, event.detail) })),
          tries: tries.map(redact),
          suppression: suppression === null ? null : redact(suppression),
        },
        200,
      );
    });
}
