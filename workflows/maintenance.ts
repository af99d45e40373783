import { log } from '@temporalio/workflow';
import { jobs } from './activity-options.ts';
import type { MaintenanceInput, MaintenanceJob } from './contract.ts';

/** Accounts whose lists are read at once: each is bounded by its own sockets. */
const ACCOUNTS_AT_ONCE = 10;

const JOBS: Readonly<Record<MaintenanceJob, () => Promise<unknown>>> = {
  reconcile: () => jobs.reconcile(),
  'fill-inbound-gaps': fillInboundGaps,
  'fold-counters': () => jobs.foldCounters(),
  housekeeping: () => jobs.housekeeping(),
};

/** One run of one periodic job, started by its schedule; runs of a job never overlap. Its result says what it did. */
export async function maintenanceWorkflow(input: MaintenanceInput): Promise<unknown> {
  return JOBS[input.job]();
}

/** One activity an account: one account's trouble must not keep another's stops away. */
async function fillInboundGaps(): Promise<void> {
  const accountIds = await jobs.listInboundAccounts();
  for (let start = 0; start < accountIds.length; start += ACCOUNTS_AT_ONCE) {
    const some = accountIds.slice(start, start + ACCOUNTS_AT_ONCE);
    const results = await Promise.allSettled(
      some.map((accountId) => jobs.fillInboundGap({ accountId })),
    );
    const failed = results.filter((result) => result.status === 'rejected').length;
    if (failed > 0)
      log.warn('inbound lists could not be read; the next run tries again', { failed });
  }
}
