import { createRoute } from '@hono/zod-openapi';
import { findCampaign } from '../../db/campaign-drafts.ts';
import {
  findConversation,
  listAnswers,
  listConversationMessages,
  listConversations,
  listTags,
} from '../../db/conversation-views.ts';
import { archivesOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { orNotFound, problems } from '../errors.ts';
import { pageOf, readPage, writePage } from '../paging.ts';
import { redactorFor } from '../redact.ts';
import { IdParam, ok } from '../schemas/common.ts';
import {
  ConversationDetailSchema,
  ConversationSchema,
  ConversationsQuery,
} from '../schemas/messages.ts';

const tags = ['Conversations'];

const list = createRoute({
  method: 'get',
  path: '/v1/conversations',
  tags,
  summary: 'Lists conversations',
  request: { query: ConversationsQuery },
  responses: {
    200: ok('A page of conversations.', pageOf(ConversationSchema)),
    ...problems('invalid-cursor', 'not-found'),
  },
});

const find = createRoute({
  method: 'get',
  path: '/v1/conversations/{id}',
  tags,
  summary: 'Shows a conversation with its texts and answers',
  request: { params: IdParam },
  responses: {
    200: ok('The conversation.', ConversationDetailSchema),
    ...problems('not-found'),
  },
});

export function createConversationRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(list, async (c) => {
      const tenant = tenantOf(deps, c);
      const { state, campaignId, ...query } = c.req.valid('query');
      const page = readPage(query);
      if (campaignId !== undefined) orNotFound(await findCampaign(tenant, campaignId), 'campaign');
      const filter = { ...(state ? { state } : {}), ...(campaignId ? { campaignId } : {}) };
      const { items, nextCursor } = writePage(await listConversations(tenant, page, filter));
      return c.json({ items: items.map(redactorFor(c.var.caller)), nextCursor }, 200);
    })
    .openapi(find, async (c) => {
      const tenant = tenantOf(deps, c);
      const redact = redactorFor(c.var.caller);
      const { id } = c.req.valid('param');
      const row = orNotFound(await findConversation(tenant, id), 'conversation');
      const [texts, answers, tags] = await Promise.all([
        listConversationMessages(archivesOf(deps, c), id),
        listAnswers(tenant, id),
        listTags(tenant, id),
      ]);
      const { messages, isPurged } = texts;
      const shown = { messages: messages.map(redact), textsPurged: isPurged, answers, tags };
      return c.json({ ...redact(row), ...shown }, 200);
    });
}
