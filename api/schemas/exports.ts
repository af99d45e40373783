import { z } from '@hono/zod-openapi';
import { EXPORT_STATES } from '../../db/export-views.ts';
import { count, id, time } from './common.ts';

const kind = z.enum(['messages']).describe('What is in it.');
const format = z
  .enum(['csv', 'ndjson'])
  .describe('csv: RFC 4180 with a header. ndjson: a JSON object a line.');

function instant(meaning: string) {
  return z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .describe(`${meaning} ISO 8601.`);
}

export const CreateExportSchema = z
  .object({
    kind,
    format,
    campaignId: id('Only the outbound texts of this campaign.').nullish(),
    createdFrom: instant('Only texts made at this instant or later.').optional(),
    createdTo: instant('Only texts made before this instant.').optional(),
  })
  .refine(
    ({ createdFrom, createdTo }) =>
      createdFrom === undefined || createdTo === undefined || createdFrom < createdTo,
    { path: ['createdTo'], message: 'must be later than createdFrom' },
  )
  .openapi('CreateExport');

export const ExportSchema = z
  .object({
    id: id('The export.'),
    kind,
    format,
    campaignId: id('The campaign whose texts are in it.').nullable(),
    createdFrom: time('Only texts made at this instant or later.').nullable(),
    createdTo: time('Only texts made before this instant.').nullable(),
    fullNumbers: z
      .boolean()
      .describe(
        'Whether people’s numbers stand in it in full: so if a key with the scope admin asked for it, and then only such keys fetch it.',
      ),
    state: z
      .enum(EXPORT_STATES)
      .describe('Only a finished one has a file; expired: its file was removed.'),
    problem: z.string().nullable().describe('Why it failed, in words.'),
    rows: z
      .object({
        done: count('Texts written.'),
        total: z
          .int()
          .nullable()
          .describe('Texts that will have been written; null: nobody can say.'),
        isEstimate: z.boolean().describe('Whether the total is a guess from counters.'),
      })
      .describe('How far it is.'),
    bytes: z.string().describe('Bytes written; a whole number as text.'),
    createdAt: time('When it was asked for; texts made later are not in it.'),
    startedAt: time('When its first page was read.').nullable(),
    finishedAt: time('When it ended.').nullable(),
  })
  .openapi('Export');
