import { createRoute } from '@hono/zod-openapi';
import type { TenantDatabase } from '../../db/client.ts';
import { findCampaign } from '../../db/campaign-drafts.ts';
import {
  findCampaignGraph,
  listReportPeople,
  readProgress,
  readReport,
  type ReportPerson,
} from '../../db/campaign-views.ts';
import { csvLine } from '../../domain/csv-safe.ts';
import { isQuestion } from '../../domain/script.ts';
import { createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ROWS_A_PAGE, streamCsv } from '../csv-stream.ts';
import { orNotFound, problems } from '../errors.ts';
import { toProgress, toReport } from '../progress.ts';
import { csv, IdParam, ok } from '../schemas/common.ts';
import { ProgressSchema, ReportSchema } from '../schemas/campaigns.ts';
import { readGraph } from '../script-graphs.ts';

const tags = ['Campaigns'];

const progress = createRoute({
  method: 'get',
  path: '/v1/campaigns/{id}/progress',
  tags,
  summary: 'Shows how far a campaign is',
  description: 'From counters only, so it may be asked for every second.',
  request: { params: IdParam },
  responses: { 200: ok('The progress.', ProgressSchema), ...problems('not-found') },
});

const report = createRoute({
  method: 'get',
  path: '/v1/campaigns/{id}/report',
  tags,
  summary: 'Shows what a campaign came to, counted text by text',
  request: { params: IdParam },
  responses: { 200: ok('The report.', ReportSchema), ...problems('not-found') },
});

const people = createRoute({
  method: 'get',
  path: '/v1/campaigns/{id}/report.csv',
  tags,
  summary: 'Says of every person of the audience what became of them',
  request: { params: IdParam },
  responses: {
    200: csv(
      'Columns: contact_id, external_id, phone, state, delivery, reason, error_code, segments, opted_out, conversation_state, and answer:<step> for each question. Safe to open in a spreadsheet.',
    ),
    ...problems('not-found'),
  },
});

export function createCampaignReportRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(progress, async (c) => {
      const row = await readProgress(tenantOf(deps, c), c.req.valid('param').id);
      return c.json(toProgress(orNotFound(row, 'campaign')), 200);
    })
    .openapi(report, async (c) => {
      const row = await readReport(tenantOf(deps, c), c.req.valid('param').id);
      return c.json(toReport(orNotFound(row, 'campaign')), 200);
    })
    .openapi(people, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = orNotFound(await findCampaign(tenant, c.req.valid('param').id), 'campaign');
      const questions = await listQuestions(tenant, id);
      const lines = reportLines(tenant, id, questions);
      return streamCsv(deps, c, { name: `report-${id}.csv`, lines });
    });
}

async function listQuestions(tenant: TenantDatabase, campaignId: string): Promise<string[]> {
  const { steps } = readGraph(await findCampaignGraph(tenant, campaignId));
  return Object.entries(steps)
    .filter(([, step]) => isQuestion(step))
    .map(([key]) => key);
}

async function* reportLines(
  tenant: TenantDatabase,
  campaignId: string,
  questions: readonly string[],
): AsyncGenerator<string> {
  yield csvLine([
    'contact_id',
    'external_id',
    'phone',
    'state',
    'delivery',
    'reason',
    'error_code',
    'segments',
    'opted_out',
    'conversation_state',
    ...questions.map((step) => `answer:${step}`),
  ]);
  let from = { afterZoneSet: -1, afterSeq: 0 };
  for (;;) {
    const slice = { campaignId, ...from, limit: ROWS_A_PAGE };
    const rows = await listReportPeople(tenant, slice);
    if (rows.length > 0) yield rows.map((row) => reportLine(row, questions)).join('');
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_A_PAGE) return;
    from = { afterZoneSet: last.zoneSetId, afterSeq: last.seq };
  }
}

function reportLine(row: ReportPerson, questions: readonly string[]): string {
  return csvLine([
    row.contactId,
    row.externalId,
    row.phone,
    row.state ?? 'not_planned',
    row.delivery,
    row.reason,
    row.errorCode,
    row.segments,
    row.optedOut ? 'yes' : 'no',
    row.conversationState,
    ...questions.map((step) => row.answers[step] ?? null),
  ]);
}
