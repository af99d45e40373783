import { createHash, randomBytes } from 'node:crypto';
import type { Database, TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';

/** What a key may do; each includes the ones before it. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A fresh key: `gw_`, 8 characters to recognise it by, `_`, 32 random bytes in base64url. */
export interface GeneratedKey {
  readonly key: string;
  readonly prefix: string;
  readonly sha256: Buffer;
}

const KEY = /^gw_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}$/;

export function generateApiKey(): GeneratedKey {
  const prefix = `gw_${randomBytes(4).toString('hex')}`;
  const key = `${prefix}_${randomBytes(32).toString('base64url')}`;
  return { key, prefix, sha256: hashKey(key) };
}

/** Whose request this is. */
export interface Caller {
  readonly orgId: string;
  readonly orgName: string;
  readonly keyId: string;
  readonly keyName: string;
  readonly scopes: readonly Scope[];
}

interface KeyRow extends Caller {
  readonly expiresAt: Date | null;
  /** Or since when its member is suspended. */
  readonly revokedAt: Date | null;
}

/** How long a key is trusted before its row is read again: a revoked one is refused by then. */
const FRESH_MS = 2_000;
const MAX_CACHED = 10_000;

/** Reads a key by its hash, and notes at most once a minute that it was used. */
const FIND = `
with k as (
  select k.*, o.name as org_name, m.suspended_at from api_key k join org o on o.id = k.org_id left join member m on m.id = k.member_id
   where k.secret_sha256 = $1::bytea),
used as (
  update api_key u set last_used_at = now() from k
   where u.id = k.id and k.revoked_at is null and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute'))
select id as "keyId", org_id as "orgId", org_name as "orgName", name as "keyName", scopes,
       expires_at as "expiresAt", coalesce(revoked_at, suspended_at) as "revokedAt" from k`;

/**
 * Looks keys up as gw_engine, because the org is not known yet. The look-up is by hash, so its
 * timing says nothing about a key.
 */
export function createKeyLookup(engineDatabase: Pick<Database, 'query'>) {
  const cache = new Map<string, { readonly until: number; readonly row: Promise<KeyRow | null> }>();

  const load = async (sha256: Buffer): Promise<KeyRow | null> => {
    const [row] = await engineDatabase.query<KeyRow>(FIND, sha256);
    return row ?? null;
  };

  const read = (sha256: Buffer): Promise<KeyRow | null> => {
    const name = sha256.toString('base64');
    const known = cache.get(name);
    if (known !== undefined && known.until > performance.now()) return known.row;
    if (cache.size >= MAX_CACHED) cache.clear();
    const row = load(sha256);
    cache.set(name, { until: performance.now() + FRESH_MS, row });
    row.catch(() => cache.delete(name));
    return row;
  };

  return {
    /** Null when there is no such key, or it is revoked or expired. */
    find: async (key: string, now: Date): Promise<Caller | null> => {
      if (!KEY.test(key)) return null;
      const row = await read(hashKey(key));
      if (row === null || row.revokedAt !== null) return null;
      return row.expiresAt !== null && row.expiresAt <= now ? null : row;
    },
    /** Forgets what is cached, so that this process refuses a revoked key at once. */
    forget: (): void => cache.clear(),
  };
}

export type KeyLookup = ReturnType<typeof createKeyLookup>;

/** A key as the people of its org see it; the key itself is not kept. */
export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly memberId: string | null;
  readonly scopes: Scope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

const VIEW = `k.id, k.name, k.prefix, k.member_id as "memberId", k.scopes, k.created_at as "createdAt", k.expires_at as "expiresAt",
  k.revoked_at as "revokedAt", k.last_used_at as "lastUsedAt"`;

/** Null when the member that it is for does not exist. */
export async function insertApiKey(
  tenant: TenantDatabase,
  key: {
    readonly generated: GeneratedKey;
    readonly name: string;
    readonly scopes: readonly Scope[];
    readonly expiresAt: string | null;
    /** Whose key it is; null: the org's own. */
    readonly memberId: string | null;
    readonly actor: string;
  },
): Promise<ApiKeyView | null> {
  const [row] = await tenant.query<ApiKeyView>(
    `with k as (
       insert into api_key (id, org_id, name, prefix, secret_sha256, scopes, expires_at, member_id)
       select $1::uuid, current_org(), $2, $3, $4::bytea, $5::text[], $6::timestamptz, $9::uuid
        where $9::uuid is null or exists (select 1 from member m where m.id = $9::uuid) returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $7::uuid, org_id, $8, 'api_key.create', 'api_key', id, jsonb_build_object('name', name, 'scopes', scopes) from k)
     select ${VIEW} from k`,
    newId(),
    key.name,
    key.generated.prefix,
    key.generated.sha256,
    key.scopes,
    key.expiresAt,
    newId(),
    key.actor,
    key.memberId,
  );
  return row ?? null;
}

export async function listApiKeys(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<ApiKeyView>> {
  const rows = await tenant.query<ApiKeyView>(
    `select ${VIEW} from api_key k where ${pageBy('k')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

/** Revokes a key for ever; null when there is none. Revoking twice keeps the first time. */
export async function revokeApiKey(
  tenant: TenantDatabase,
  keyId: string,
  actor: string,
): Promise<ApiKeyView | null> {
  const [row] = await tenant.query<ApiKeyView>(
    `with k as (
       update api_key set revoked_at = coalesce(revoked_at, now()) where id = $1::uuid returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $2::uuid, org_id, $3, 'api_key.revoke', 'api_key', id from k)
     select ${VIEW} from k`,
    keyId,
    newId(),
    actor,
  );
  return row ?? null;
}

function hashKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
