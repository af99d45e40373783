import { errorKind, type Database } from '../../db/client.ts';
import { createGroupCommit } from '../../db/group-commit.ts';
import { isStop, isStorable, storeInbound, type InboundArrival } from '../../db/inbound.ts';
import { faultPoint } from '../../faults/points.ts';
import type { Notifier } from '../../db/notifier.ts';
import {
  applyReportedErrors,
  quarantine,
  storeReports,
  type ReportArrival,
} from '../../db/reports.ts';
import { twilioErrorRule } from '../../providers/twilio-errors.ts';
import { untilStopped } from '../halt.ts';

/** A parsed webhook with the bytes it came in, kept in case the database refuses the former. */
export interface Arrival<Parsed> {
  readonly parsed: Parsed;
  readonly raw: string;
}

/** Overload sheds reports first: their queue is the shorter one. */
const QUEUE = { inbound: 50_000, reports: 20_000 } as const;
const BATCH = { maxItems: 200, maxBytes: 1_000_000 } as const;
/** Nobody waits for a report; without a linger, batches at 1,000 texts a second hold nine, and cost twice as much each. */
const REPORTS_LINGER_MS = 30;
/** While Postgres writes these, others are read and verified: with batches of all that came, one waited for the other. */
const ENOUGH_REPORTS = 50;

/**
 * Stores webhooks with their neighbours, in one transaction a batch. Each call resolves after the
 * commit; for a stop, only when no POST to that person can start any more.
 */
export function createIngest(deps: { readonly database: Database; readonly notifier: Notifier }) {
  const { database, notifier } = deps;

  const inbound = createGroupCommit<Arrival<InboundArrival>, null>({
    ...BATCH,
    maxQueued: QUEUE.inbound,
    // As two processes would; one person's texts are counted under the lock of their conversation.
    batchesAtOnce: 2,
    sizeOf: ({ raw }) => raw.length,
    write: async (items) => {
      faultPoint('ingest.storing');
      await storeInbound(
        database,
        items.map(({ parsed }) => parsed),
      );
      faultPoint('ingest.stored');
      notifier.poke();
      return items.map(() => null);
    },
    refuse: (item, error) =>
      keepRaw(database, { item, accountId: item.parsed.accountId, kind: 'inbound' }, error),
  });

  const reports = createGroupCommit<Arrival<ReportArrival>, null>({
    ...BATCH,
    maxQueued: QUEUE.reports,
    lingerMs: REPORTS_LINGER_MS,
    enough: ENOUGH_REPORTS,
    // Statuses have ranks, and rows are locked in the order of their ids.
    batchesAtOnce: 3,
    sizeOf: ({ raw }) => raw.length,
    write: async (items) => {
      faultPoint('report.storing');
      const errors = await storeReports(
        database,
        items.map(({ parsed }) => parsed),
      );
      faultPoint('report.stored');
      if (errors.length > 0) await applyReportedErrors(database, errors, twilioErrorRule);
      return items.map(() => null);
    },
    refuse: (item, error) =>
      keepRaw(database, { item, accountId: item.parsed.accountId, kind: 'status' }, error),
  });

  return {
    addInbound: async (arrival: Arrival<InboundArrival>): Promise<void> => {
      const { parsed, raw } = arrival;
      if (!isStorable(parsed.body)) {
        const problem = 'stored with replacement characters';
        await quarantine(database, { accountId: parsed.accountId, kind: 'inbound', raw, problem });
      }
      await inbound.add(arrival);
      if (!isStop(arrival.parsed)) return;
      await untilStopped(database, arrival.parsed);
    },
    addReport: async (arrival: Arrival<ReportArrival>): Promise<void> => {
      await reports.add(arrival);
    },
    /** Keeps a signed body that is not what its path says. */
    addUnreadable: (item: {
      accountId: string;
      kind: string;
      raw: string;
      problem: string;
    }): Promise<void> => quarantine(database, item),
    /** Waits until everything accepted is written; at shutdown. */
    close: async (): Promise<void> => {
      await Promise.all([inbound.idle(), reports.idle()]);
    },
  };
}

export type Ingest = ReturnType<typeof createIngest>;

async function keepRaw(
  database: Database,
  { item, accountId, kind }: { item: { readonly raw: string }; accountId: string; kind: string },
  error: unknown,
): Promise<null> {
  await quarantine(database, { accountId, kind, raw: item.raw, problem: errorKind(error) });
  return null;
}
