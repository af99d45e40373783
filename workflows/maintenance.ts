import { slices } from './activity-options.ts';
import type { MaintenanceInput, MaintenanceJob } from './contract.ts';

const JOBS: Readonly<Record<MaintenanceJob, () => Promise<unknown>>> = {
  reconcile: () => slices.reconcile(),
  'fill-inbound-gaps': () => slices.fillInboundGaps(),
  'fold-counters': () => slices.foldCounters(),
  housekeeping: () => slices.housekeeping(),
};

/** One run of one periodic job, started by its schedule; runs of a job never overlap. */
export async function maintenanceWorkflow(input: MaintenanceInput): Promise<void> {
  await JOBS[input.job]();
}
