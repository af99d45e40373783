import { Client } from 'pg';
import { expect, test } from 'vitest';
import { sealAuditLog } from '../../../db/audit-seals.ts';
import { createDatabase } from '../../../db/client.ts';
import { newId } from '../../../db/ids.ts';
import { createOrg } from '../../../db/orgs.ts';
import { withTestDatabase } from '../../support/database.ts';
import { findBrokenSeals } from '../facts/seals.ts';

/** Also rows of this very moment. */
const AT_ONCE_S = -60;

const urls = withTestDatabase();

test('seals of the engine hold, and one no longer does when a row is slipped in under it', async () => {
  const { orgId } = await createOrg(urls().ownerUrl, { name: 'Rivertown “’é' });
  const database = createDatabase({
    url: urls().engineUrl,
    applicationName: 'test',
    poolSize: 1,
  });
  const client = new Client({ connectionString: urls().engineUrl });
  await client.connect();
  const insert = async (id: string): Promise<void> => {
    await client.query(
      `insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       values ($1, $2, 'somebody', 'campaign.edit', 'campaign', $1, '{"b": 1, "a": "ü"}')`,
      [id, orgId],
    );
  };
  try {
    const slipped = newId();
    await insert(newId(Date.now() + 5));
    await sealAuditLog(database, AT_ONCE_S);
    await insert(newId(Date.now() + 10));
    await sealAuditLog(database, AT_ONCE_S);
    expect(await findBrokenSeals(client)).toMatchObject({ sealed: 3, broken: { rows: 0 } });
    await insert(slipped);
    expect(await findBrokenSeals(client)).toMatchObject({
      broken: { rows: 1, examples: [`seal 1 of org ${orgId}`] },
    });
  } finally {
    await client.end();
    await database.close();
  }
});
