import type { Database } from './client.ts';

/**
 * Tells relays that the outbox has rows: one NOTIFY after commit for whatever happened meanwhile.
 * Inside the transactions it would cost more than half of their throughput. Losing one is harmless:
 * relays also poll.
 */
export function createNotifier(database: Database) {
  let running = false;
  let again = false;
  const send = async (): Promise<void> => {
    running = true;
    do {
      again = false;
      await database.query(`select pg_notify('gw_outbox', '')::text as done`).catch(() => {});
    } while (again);
    running = false;
  };
  return {
    poke: (): void => {
      if (running) again = true;
      else void send();
    },
  };
}

export type Notifier = ReturnType<typeof createNotifier>;
