/** Judges a run by what it left behind; see README.md. */
import { readClients } from './facts/clients.ts';
import type { Bounds, Expectations, Facts } from './facts/facts.ts';
import { readJournal } from './facts/journal.ts';
import { readLedger } from './facts/ledger.ts';
import { judgeAudit } from './judges/audit.ts';
import { judgeBounds } from './judges/bounds.ts';
import { judgeDelivery } from './judges/delivery.ts';
import { judgeHours } from './judges/hours.ts';
import { judgeInbound } from './judges/inbound.ts';
import { judgeIntruders } from './judges/intruders.ts';
import { judgeCounters, judgeOrphans } from './judges/links.ts';
import { judgeMoney } from './judges/money.ts';
import { judgeNothingLost } from './judges/nothing-lost.ts';
import { judgeNothingTwice } from './judges/nothing-twice.ts';
import { judgeRate } from './judges/rate.ts';
import { judgeStop } from './judges/stop.ts';
import type { Verdict } from './verdict.ts';

export { formatVerdicts, type Verdict } from './verdict.ts';

export interface ExpectationsInput {
  /** Faults are over and everything had time to settle: nothing may be pending any more. */
  readonly healed?: boolean;
  /** How long two events may be seen in the wrong order, in milliseconds. */
  readonly clockToleranceMs?: number;
  /** How much later than its neighbours a request may be seen, in milliseconds. */
  readonly jitterMs?: number;
  /** Segments a second by number, instead of what the database says. */
  readonly senderLimits?: Readonly<Record<string, number>>;
  /** Ids of open workflows; without them a planned text counts as waited for. */
  readonly liveWorkflows?: Iterable<string>;
  /** Given after a run with faults: how much may be unknown or unsent. */
  readonly bounds?: Pick<Bounds, 'kills' | 'sockets'> & Partial<Bounds>;
}

/** Reads the three records of a run and judges every promise. */
export async function check(run: {
  readonly databaseUrl: string;
  readonly providerJournal: string;
  readonly clientJournal: string | null;
  readonly expectations?: ExpectationsInput;
}): Promise<Verdict[]> {
  // The ledger first, in one snapshot; of the journals only what came before it.
  const ledger = await readLedger(run.databaseUrl);
  const clients = await readClients(run.clientJournal, ledger.readAtMs);
  const journal = await readJournal(run.providerJournal, ledger.readAtMs);
  return judgeAll({ journal, clients, ledger, expectations: complete(run.expectations ?? {}) });
}

/** Every verdict over facts that were read. */
export function judgeAll(facts: Facts): Verdict[] {
  return [
    judgeNothingLost(facts),
    judgeBounds(facts),
    judgeNothingTwice(facts),
    judgeInbound(facts),
    judgeStop(facts),
    judgeIntruders(facts),
    judgeDelivery(facts),
    judgeHours(facts),
    judgeRate(facts),
    judgeAudit(facts),
    judgeMoney(facts),
    judgeOrphans(facts),
    judgeCounters(facts),
  ].filter((verdict) => verdict !== null);
}

function complete(input: ExpectationsInput): Expectations {
  const { bounds, liveWorkflows } = input;
  return {
    healed: input.healed ?? false,
    clockToleranceMs: input.clockToleranceMs ?? 100,
    jitterMs: input.jitterMs ?? 100,
    senderLimits: input.senderLimits ?? {},
    liveWorkflows: liveWorkflows === undefined ? null : new Set(liveWorkflows),
    bounds:
      bounds === undefined
        ? null
        : { unknownShare: 0.01, withoutCreateShare: 0.01, acceptedShare: 0.98, ...bounds },
  };
}
