import { z } from 'zod';
import { chance } from './random.ts';

/** Where a fault strikes: the answer to a request, a delivery report, or a text from a person. */
const STAGE_BY_FAULT = {
  'http-500-before': 'request',
  'http-500-after': 'request',
  'http-503-html': 'request',
  'reset-before': 'request',
  'reset-after': 'request',
  'hang-before': 'request',
  hang: 'request',
  drip: 'request',
  'wrong-json': 'request',
  'no-sid': 'request',
  throttle: 'request',
  refuse: 'request',
  undelivered: 'delivery',
  'drop-callbacks': 'callback',
  'duplicate-callbacks': 'callback',
  'delay-callbacks': 'callback',
  'shuffle-callbacks': 'callback',
  'drop-inbound': 'inbound',
  'duplicate-inbound': 'inbound',
  'delay-inbound': 'inbound',
} as const;

export type FaultName = keyof typeof STAGE_BY_FAULT;
export type FaultStage = (typeof STAGE_BY_FAULT)[FaultName];

const FAULT_NAMES = Object.keys(STAGE_BY_FAULT) as [FaultName, ...FaultName[]];

export const faultSchema = z.object({
  fault: z.enum(FAULT_NAMES),
  /** How often it strikes. */
  times: z.int().min(1).default(1),
  match: z
    .object({
      to: z.string().optional(),
      from: z.string().optional(),
      /** HTTP method; without one, request faults strike creates only. */
      method: z.enum(['POST', 'GET', 'DELETE']).optional(),
      share: z.number().min(0).max(1).optional(),
    })
    .default({}),
  /** For `refuse` and `undelivered`: Twilio's error number. */
  code: z.int().positive().optional(),
  /** For the `delay-` and `shuffle-` faults. */
  delayMs: z.number().min(0).default(500),
});
export type Fault = z.infer<typeof faultSchema>;

export interface FaultSubject {
  readonly to: string | null;
  readonly from: string | null;
  readonly method?: string;
}

/** Creates the list of faults that are still to strike. */
export function createFaults(seed: number) {
  let waiting: { fault: Fault; left: number; seen: number }[] = [];

  function add(faults: readonly Fault[]): void {
    waiting.push(...faults.map((fault) => ({ fault, left: fault.times, seen: 0 })));
  }

  /** Takes the first fault that fits, in the order in which they were added. */
  function take(stage: FaultStage, subject: FaultSubject): Fault | null {
    if (waiting.length === 0) return null;
    for (const entry of waiting) {
      if (STAGE_BY_FAULT[entry.fault.fault] !== stage || !fits(entry.fault, subject)) continue;
      entry.seen += 1;
      const { share } = entry.fault.match;
      const isSpared =
        share !== undefined && chance(seed, 'fault', entry.fault.fault, entry.seen) >= share;
      if (isSpared) continue;
      entry.left -= 1;
      if (entry.left === 0) waiting = waiting.filter((other) => other !== entry);
      return entry.fault;
    }
    return null;
  }

  return {
    add,
    take,
    clear: () => {
      waiting = [];
    },
    list: () => waiting.map(({ fault, left }) => ({ ...fault, left })),
  };
}
export type Faults = ReturnType<typeof createFaults>;

function fits(fault: Fault, subject: FaultSubject): boolean {
  const { to, from, method } = fault.match;
  return (
    (to === undefined || to === subject.to) &&
    (from === undefined || from === subject.from) &&
    (subject.method === undefined || (method ?? 'POST') === subject.method)
  );
}
