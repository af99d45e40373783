import { createRoute } from '@hono/zod-openapi';
import {
  findScript,
  insertScript,
  insertScriptVersion,
  listScripts,
  type ScriptVersionView,
} from '../../db/scripts.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import {
  CreateScriptSchema,
  SaveGraphSchema,
  ScriptProblemsSchema,
  ScriptSchema,
  ScriptSummarySchema,
  ScriptVersionSchema,
} from '../schemas/scripts.ts';
import { acceptScript, findScriptProblems, readGraph, toScript } from '../script-graphs.ts';

const tags = ['Scripts'];

const create = createRoute({
  method: 'post',
  path: '/v1/scripts',
  tags,
  summary: 'Saves a script',
  description: 'Its first version is checked; a script with errors is not saved.',
  request: { headers: IdempotencyHeaders, body: body(CreateScriptSchema) },
  responses: {
    201: ok('The script.', ScriptSchema),
    ...problems(
      'malformed-json',
      'script-problems',
      'idempotency-key-reused',
      'idempotency-in-flight',
    ),
  },
});

const addVersion = createRoute({
  method: 'post',
  path: '/v1/scripts/{id}/versions',
  tags,
  summary: 'Saves a new version of a script',
  description: 'Campaigns keep the version that they name.',
  request: { headers: IdempotencyHeaders, params: IdParam, body: body(SaveGraphSchema) },
  responses: {
    201: ok('The version.', ScriptVersionSchema),
    ...problems(
      'malformed-json',
      'not-found',
      'script-problems',
      'idempotency-key-reused',
      'idempotency-in-flight',
    ),
  },
});

const check = createRoute({
  method: 'post',
  path: '/v1/scripts/check',
  tags,
  summary: 'Says what is wrong with a script without saving it',
  request: { body: body(SaveGraphSchema) },
  responses: { 200: ok('Its problems.', ScriptProblemsSchema), ...problems('malformed-json') },
});

const list = createRoute({
  method: 'get',
  path: '/v1/scripts',
  tags,
  summary: 'Lists scripts',
  request: { query: PageQuery },
  responses: {
    200: ok('A page of scripts.', pageOf(ScriptSummarySchema)),
    ...problems('invalid-cursor'),
  },
});

const find = createRoute({
  method: 'get',
  path: '/v1/scripts/{id}',
  tags,
  summary: 'Shows a script with its newest version',
  request: { params: IdParam },
  responses: { 200: ok('The script.', ScriptSchema), ...problems('not-found') },
});

export function createScriptRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(create, async (c) => {
      const { name, graph } = c.req.valid('json');
      const tenant = tenantOf(deps, c);
      const script = { name, graph: acceptScript(graph), actor: actorOf(c) };
      const row = orNotFound(
        await findScript(tenant, await insertScript(tenant, script)),
        'script',
      );
      return c.json({ ...row, version: showVersion(row.version) }, 201);
    })
    .openapi(addVersion, async (c) => {
      const graph = acceptScript(c.req.valid('json').graph);
      const version = { scriptId: c.req.valid('param').id, graph, actor: actorOf(c) };
      const row = await insertScriptVersion(tenantOf(deps, c), version);
      return c.json(showVersion(orNotFound(row, 'script')), 201);
    })
    .openapi(check, (c) => {
      const found = findScriptProblems(toScript(c.req.valid('json').graph));
      return c.json({ problems: found }, 200);
    })
    .openapi(list, async (c) => {
      const page = readPage(c.req.valid('query'));
      return c.json(writePage(await listScripts(tenantOf(deps, c), page)), 200);
    })
    .openapi(find, async (c) => {
      const row = orNotFound(
        await findScript(tenantOf(deps, c), c.req.valid('param').id),
        'script',
      );
      return c.json({ ...row, version: showVersion(row.version) }, 200);
    });
}

function showVersion(version: ScriptVersionView) {
  return { ...version, graph: readGraph(version.graph) };
}
