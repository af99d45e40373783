/** What the ledger and the two journals say after a run, as plain rows; no code of the engine judges here. */
import type { Database } from '../../db/client.ts';
import { readLines, toAcknowledgements, toCreate, type Create } from '../support/stack/journals.ts';
import type { Stack } from '../support/stack/stack.ts';

export interface LedgerText {
  readonly id: string;
  readonly state: string;
  readonly purpose: string;
  readonly campaign_id: string | null;
  readonly address: string;
  readonly retry_of: string | null;
}

/** One thing that a client of our API asked for. */
export interface ApiLine {
  readonly at: string;
  readonly sentAt: string;
  readonly kind: 'api';
  readonly status: number | null;
  readonly campaignId?: string;
  readonly action?: string;
  readonly address?: string;
}

export interface InboundLine {
  readonly kind: 'inbound';
  readonly sid: string;
  readonly from: string;
  readonly body: string;
}

export interface Evidence {
  readonly texts: readonly LedgerText[];
  readonly creates: readonly Create[];
  readonly inbound: readonly InboundLine[];
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly calls: readonly ApiLine[];
  /** How often each inbound text stands in the ledger. */
  readonly stored: ReadonlyMap<string, number>;
  readonly suppressed: ReadonlySet<string>;
  /** People of an audience for whom no first text was ever planned. */
  readonly unplanned: number;
}

export async function gather(stack: Stack): Promise<Evidence> {
  const { database } = stack;
  const [simulator, clients] = await Promise.all([
    readLines(stack.simulatorJournal),
    readLines(stack.clientsJournal),
  ]);
  const isKind = (kind: string) => (line: unknown) => (line as { kind?: string }).kind === kind;
  return {
    texts: await database.query<LedgerText>(
      `select id, state::text as state, purpose::text as purpose, campaign_id, address, retry_of
         from message where direction = 'outbound'`,
    ),
    creates: simulator.flatMap(toCreate),
    inbound: simulator.filter(isKind('inbound')) as InboundLine[],
    acknowledged: toAcknowledgements(simulator),
    calls: clients.filter(isKind('api')) as ApiLine[],
    stored: await readStored(database),
    suppressed: new Set(
      (await database.query<{ address: string }>('select distinct address from suppression')).map(
        ({ address }) => address,
      ),
    ),
    unplanned: await countUnplanned(database),
  };
}

async function readStored(database: Database): Promise<Map<string, number>> {
  const rows = await database.query<{ sid: string; n: number }>(
    `select provider_message_id as sid, count(*)::int as n from message where direction = 'inbound' group by 1`,
  );
  return new Map(rows.map(({ sid, n }) => [sid, n]));
}

async function countUnplanned(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `select count(*)::int as n from campaign_contact cc
      where not exists (select 1 from message m where m.conversation_id = cc.id and m.purpose = 'campaign')`,
  );
  return row?.n ?? 0;
}
