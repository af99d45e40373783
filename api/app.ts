/** The HTTP face of Groundswell: thin handlers over db/, one router per resource. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { createKeyLookup } from '../db/api-keys.ts';
import { authenticate, authorize } from './auth.ts';
import { createRouter, type ApiDeps, type ApiEnv } from './context.ts';
import { limitBody } from './body-limit.ts';
import { createDocsRoutes, DOCS_POLICY } from './docs.ts';
import { ApiError, writeProblem } from './errors.ts';
import { idempotent } from './idempotency.ts';
import { handleErrors, logAccess } from './observe.ts';
import { createArchiveRoutes } from './routes/archives.ts';
import { createCampaignActionRoutes } from './routes/campaign-actions.ts';
import { createCampaignReportRoutes } from './routes/campaign-reports.ts';
import { createCampaignRoutes } from './routes/campaigns.ts';
import { createContactRoutes } from './routes/contacts.ts';
import { createConversationRoutes } from './routes/conversations.ts';
import { createExportRoutes } from './routes/exports.ts';
import { createImportRoutes } from './routes/imports.ts';
import { createKeyRoutes } from './routes/keys.ts';
import { createMessageRoutes } from './routes/messages.ts';
import { createMemberRoutes } from './routes/members.ts';
import { createMoneyRoutes } from './routes/money.ts';
import { createOrgRoutes } from './routes/org.ts';
import { createProviderAccountRoutes } from './routes/provider-accounts.ts';
import { createScriptRoutes } from './routes/scripts.ts';
import { createSenderPoolRoutes } from './routes/sender-pools.ts';
import { createSuppressionRoutes } from './routes/suppressions.ts';
import { createSystemRoutes } from './routes/system.ts';

export type { ApiDeps, ApiEnv } from './context.ts';

const MAX_BODY_BYTES = 1_000_000;
/** Files are streamed and have limits of their own. */
const UPLOAD_PATH = /^\/v1\/(?:contact-lists\/[^/]+\/imports|suppressions\/import)$/;

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Groundswell',
    version: '1',
    description:
      'Texting campaigns. Times are ISO 8601 in UTC, ids are UUIDs, money is millionths of a currency as text. Every POST that makes, starts or sends takes an Idempotency-Key. Errors are application/problem+json with a stable `code`.',
  },
  security: [{ bearer: [] }],
};

/** Builds the app; it opens nothing and keeps no state but a two-second cache of keys. */
export function createApp(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const app = createRouter();
  const keys = createKeyLookup(deps.engineDatabase);
  const now = deps.now ?? (() => new Date());

  app.onError(handleErrors(deps));
  app.notFound((c) => writeProblem(c, new ApiError('not-found', 'There is nothing at this path.')));
  app.use(requestId());
  app.use(logAccess(deps));
  app.use(secure());
  app.use(limitBodies());
  app.use('/v1/*', authenticate(keys, now), authorize(), idempotent(deps));

  app.route('/', createSystemRoutes(deps));
  app.route('/', createKeyRoutes(deps, keys));
  app.route('/', createMemberRoutes(deps, keys));
  app.route('/', createOrgRoutes(deps));
  app.route('/', createMoneyRoutes(deps));
  app.route('/', createProviderAccountRoutes(deps));
  app.route('/', createSenderPoolRoutes(deps));
  app.route('/', createContactRoutes(deps));
  app.route('/', createImportRoutes(deps));
  app.route('/', createScriptRoutes(deps));
  app.route('/', createCampaignRoutes(deps));
  app.route('/', createCampaignActionRoutes(deps));
  app.route('/', createCampaignReportRoutes(deps));
  app.route('/', createMessageRoutes(deps));
  app.route('/', createConversationRoutes(deps));
  app.route('/', createSuppressionRoutes(deps));
  app.route('/', createExportRoutes(deps));
  app.route('/', createArchiveRoutes(deps));
  deps.mountWebhooks?.(app);

  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key: gw_…',
  });
  app.doc31('/openapi.json', DOCUMENT);
  app.route('/', createDocsRoutes());
  return app;
}

function secure() {
  const policy = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };
  const plain = secureHeaders({ contentSecurityPolicy: policy });
  const docs = secureHeaders({ contentSecurityPolicy: DOCS_POLICY });
  return (...[c, next]: Parameters<typeof plain>) =>
    /^\/docs(?:\/|$)/.test(c.req.path) ? docs(c, next) : plain(c, next);
}

function limitBodies() {
  const limit = limitBody(MAX_BODY_BYTES, () => {
    throw new ApiError('too-large', `A body may have ${MAX_BODY_BYTES} bytes at most.`);
  });
  return (...[c, next]: Parameters<typeof limit>) =>
    UPLOAD_PATH.test(c.req.path) ? next() : limit(c, next);
}
