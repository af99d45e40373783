import { generateApiKey } from './api-keys.ts';
import { createDatabase, type Database } from './client.ts';
import { newId } from './ids.ts';

/** A new org and its first key, which is shown this once. */
export interface CreatedOrg {
  readonly orgId: string;
  readonly keyId: string;
  readonly apiKey: string;
}

/**
 * Creates an org with an admin key, given the owner's URL. Row-level security binds even the owner,
 * so the statement runs as gw_engine, with the owner's password.
 */
export async function createOrg(
  ownerUrl: string,
  org: { readonly name: string },
): Promise<CreatedOrg> {
  const url = new URL(ownerUrl);
  url.username = 'gw_engine';
  const database = createDatabase({
    url: url.href,
    applicationName: 'groundswell-create-org',
    poolSize: 1,
  });
  try {
    return await createOrgIn(database, org);
  } finally {
    await database.close();
  }
}

/** Creates an org, its first key and their audit row in one statement, as gw_engine. */
export async function createOrgIn(
  engineDatabase: Pick<Database, 'query'>,
  org: { readonly name: string },
): Promise<CreatedOrg> {
  const generated = generateApiKey();
  const orgId = newId();
  const keyId = newId();
  await engineDatabase.query(
    `with o as (insert into org (id, name) values ($1::uuid, $2) returning id),
     k as (
       insert into api_key (id, org_id, name, prefix, secret_sha256, scopes)
       select $3::uuid, id, 'first key', $4, $5::bytea, '{admin}' from o returning id),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $6::uuid, o.id, 'cli', 'org.create', 'org', o.id, jsonb_build_object('key', k.id) from o, k)
     select 1 as done from k`,
    orgId,
    org.name,
    keyId,
    generated.prefix,
    generated.sha256,
    newId(),
  );
  return { orgId, keyId, apiKey: generated.key };
}
