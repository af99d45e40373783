import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { EngineActivities, FileActivities, PoolActivities } from '../activities/index.ts';
import { FILES_QUEUE, SENDING_QUEUE } from './contract.ts';

/** For ever, but never faster than this: the rows are the truth and trying again is harmless. */
const PATIENT = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' } as const;

/** The same for the few activities that everything waits for: after five crashes in a row a pool must not stand still for half a minute. */
const PROMPT = { ...PATIENT, maximumInterval: '3s' } as const;

/** A longer pause before the next try is a timer: what fails again and again must not hold the worker's workflow tasks. */
const HELD_FOR = '500ms';

/** Slices that run for up to two minutes and beat: a dead worker is noticed within the heartbeat timeout. */
export const slices = proxyActivities<EngineActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '10s',
  retry: PROMPT,
});

/** A pool's slices, on their own queue; 5 s without a beat and another worker takes over. */
export const pool = proxyActivities<PoolActivities>({
  taskQueue: SENDING_QUEUE,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '5s',
  retry: PROMPT,
});

/** Periodic jobs: their schedule is the retry. */
export const jobs = proxyActivities<EngineActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '10s',
  retry: { maximumAttempts: 2 },
});

/** A bounded round of archiving; what a storage refuses three times waits for the next run, which says so. */
export const archiving = proxyActivities<FileActivities>({
  taskQueue: FILES_QUEUE,
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '10s',
  retry: { ...PATIENT, maximumAttempts: 3 },
});

/** One or two statements. */
export const steps = proxyActivities<EngineActivities>({
  startToCloseTimeout: '15s',
  retry: PATIENT,
});

/**
 * The same inside the workflow's own task, for what every reply needs: half of what Temporal does for a reply was to
 * hand its turn to an activity and back.
 */
export const local = proxyLocalActivities<EngineActivities>({
  startToCloseTimeout: '15s',
  retry: PATIENT,
  localRetryThreshold: HELD_FOR,
});

/** One POST with its own deadline of 10 s; a retry finds the row out of `planned` and posts nothing. */
const SEND = { startToCloseTimeout: '40s', retry: PATIENT } as const;
export const sends = proxyActivities<EngineActivities>(SEND);

/** The same inside the workflow's own task. The activity bounds how many hold theirs; the others' texts go to the pool. */
export const localSends = proxyLocalActivities<EngineActivities>({
  ...SEND,
  localRetryThreshold: HELD_FOR,
});

/** A whole file, in or out, chunk by chunk; the cursor goes on where it was. */
export const files = proxyActivities<FileActivities>({
  taskQueue: FILES_QUEUE,
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '30s',
  retry: PATIENT,
});
