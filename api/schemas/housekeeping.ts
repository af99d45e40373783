import { z } from '@hono/zod-openapi';
import { HOUSEKEEPING_JOBS } from '../../db/housekeeping-reports.ts';
import { PageQuery, pageOf } from '../paging.ts';
import { count, counts, id, time } from './common.ts';

const parent = z
  .enum(['message', 'provider_event'])
  .describe('The table: message holds texts, provider_event raw delivery reports.');
const month = z.iso.date().describe('The month, by its first day. UTC.');

const HousekeepingRoundSchema = z
  .object({
    id: id('The report.'),
    job: z
      .enum(HOUSEKEEPING_JOBS)
      .describe(
        'housekeeping: partitions ahead and what expires. archive: what leaves the ledger.',
      ),
    startedAt: time('When the round began.'),
    finishedAt: time('When it ended.'),
    done: counts('How much of what it did, by name; what it did not do is left out or 0.'),
    held: z
      .array(
        z.object({
          parent,
          month,
          reason: z
            .enum([
              'campaigns-not-over',
              'open-texts',
              'texts-not-archived',
              'kept-by-operator',
              'lock-busy',
            ])
            .describe('Why it stays.'),
          campaigns: count('Campaigns of all orgs that keep it.'),
          campaignIds: z.array(z.uuid()).describe('Some of them that are of this org.'),
        }),
      )
      .describe('Months that are old enough to leave the ledger and stay.'),
    problem: z.string().nullable().describe('Why it did not come to its end; null: it did.'),
  })
  .openapi('HousekeepingRound');

export const HousekeepingSchema = z
  .object({
    partitions: z
      .array(
        z.object({
          parent,
          month,
          state: z
            .enum(['writing', 'written', 'detached', 'verified', 'dropping', 'dropped', 'kept'])
            .describe(
              'writing, written: its files are made. detached: they are the truth from here on. verified: they were compared with its rows. dropped: its rows are gone. kept: an operator attached it again.',
            ),
        }),
      )
      .describe('Months that are on their way out of the ledger, or left it. The newest first.'),
    rounds: pageOf(HousekeepingRoundSchema),
  })
  .openapi('Housekeeping');

export const HousekeepingQuery = PageQuery.extend({
  job: z.enum(HOUSEKEEPING_JOBS).optional().describe('Only rounds of this job.'),
});
