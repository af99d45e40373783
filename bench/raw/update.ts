import { Client } from 'pg';
import { median } from '../figure.ts';

const UPDATED = 'bench_updated';
const ROWS = 100_000;
const RUNS = 200;

/** Milliseconds of a bare UPDATE of so many rows by their keys, in a table with no other index, each in a transaction of its own. */
export async function updateFloor(ownerUrl: string, batch: number): Promise<number> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query(
      `create table ${UPDATED} (id uuid primary key, state text, body text) with (fillfactor = 85)`,
    );
    await client.query(
      `insert into ${UPDATED} select gen_random_uuid(), 'planned', repeat('x', 100) from generate_series(1, ${ROWS})`,
    );
    const { rows } = await client.query<{ id: string }>(`select id from ${UPDATED}`);
    const times: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const ids = rows
        .slice((run * batch) % ROWS, ((run * batch) % ROWS) + batch)
        .map(({ id }) => id);
      const from = performance.now();
      await client.query({
        name: 'bench-update',
        text: `update ${UPDATED} set state = 'sending' where id = any($1::uuid[])`,
        values: [ids],
      });
      times.push(performance.now() - from);
    }
    return median(times);
  } finally {
    await client.query(`drop table if exists ${UPDATED}`);
    await client.end();
  }
}
