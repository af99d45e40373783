import { Client } from 'pg';

const COPIED = 'bench_copied';

/**
 * Seconds that Postgres takes to copy so many rows of the same width into a bare table without indexes, all
 * inside the server: no way into the database is shorter.
 */
export async function copyFloor(ownerUrl: string, rows: number): Promise<number> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query(
      `create table ${COPIED} (id uuid, e164 text, first_name text, last_name text, external_id text, fields jsonb)`,
    );
    const from = performance.now();
    await client.query(
      `insert into ${COPIED} select gen_random_uuid(), '+1303' || n, 'Ada', 'Surname, ' || n % 977, 'VAN-' || n,
              jsonb_build_object('city', 'Springfield', 'precinct', 'P-' || n % 4096, 'notes', 'met at the door')
         from generate_series(1, ${rows}) n`,
    );
    return (performance.now() - from) / 1_000;
  } finally {
    await client.query(`drop table if exists ${COPIED}`);
    await client.end();
  }
}
