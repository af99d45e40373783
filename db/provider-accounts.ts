import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';
import { RING_AGAIN, wakePools } from './wake.ts';

/** A provider account without its tokens. */
export interface ProviderAccountView {
  readonly id: string;
  readonly provider: 'twilio';
  readonly name: string;
  readonly accountSid: string;
  readonly baseUrl: string | null;
  readonly state: 'active' | 'stopped';
  readonly stateReason: string | null;
  readonly createdAt: Date;
}

/** Tokens as they are kept: sealed, with the name of the key. */
export interface SealedTokens {
  readonly sealed: Uint8Array;
  readonly keyId: string;
}

const VIEW = `a.id, a.provider, a.name, a.account_sid as "accountSid", a.base_url as "baseUrl", a.state::text as state,
  a.state_reason as "stateReason", a.created_at as "createdAt"`;

/** Null when the org already has this account. */
export async function insertProviderAccount(
  tenant: TenantDatabase,
  account: {
    readonly provider: string;
    readonly name: string;
    readonly accountSid: string;
    readonly baseUrl: string | null;
    readonly tokens: SealedTokens;
    readonly actor: string;
  },
): Promise<ProviderAccountView | null> {
  const [row] = await tenant.query<ProviderAccountView>(
    `with a as (
       insert into provider_account (id, org_id, provider, name, account_sid, base_url, auth_tokens_encrypted, key_id)
       values ($1::uuid, current_org(), $2, $3, $4, $5, $6::bytea, $7)
       on conflict (org_id, provider, account_sid) do nothing returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $8::uuid, org_id, $9, 'provider_account.create', 'provider_account', id, jsonb_build_object('name', name) from a)
     select ${VIEW} from a`,
    newId(),
    account.provider,
    account.name,
    account.accountSid,
    account.baseUrl,
    account.tokens.sealed,
    account.tokens.keyId,
    newId(),
    account.actor,
  );
  return row ?? null;
}

export async function listProviderAccounts(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<ProviderAccountView>> {
  const rows = await tenant.query<ProviderAccountView>(
    `select ${VIEW} from provider_account a where ${pageBy('a')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

export async function findProviderAccount(
  tenant: TenantDatabase,
  accountId: string,
): Promise<ProviderAccountView | null> {
  const [row] = await tenant.query<ProviderAccountView>(
    `select ${VIEW} from provider_account a where a.id = $1::uuid`,
    accountId,
  );
  return row ?? null;
}

/** Replaces the tokens, for rotation; processes pick them up within two seconds. */
export async function setProviderTokens(
  tenant: TenantDatabase,
  change: { readonly accountId: string; readonly tokens: SealedTokens; readonly actor: string },
): Promise<ProviderAccountView | null> {
  const [row] = await tenant.query<ProviderAccountView>(
    `with a as (
       update provider_account set auth_tokens_encrypted = $2::bytea, key_id = $3, state = 'active', state_reason = null
        where id = $1::uuid returning *),
     ${wakePools('select s.id as pool_id from sender_pool s join a on a.id = s.account_id')},
     rung as (
       insert into outbox (kind, ref_id) select 'wake_pool', id from woken order by id
       ${RING_AGAIN}),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $4::uuid, org_id, $5, 'provider_account.set_tokens', 'provider_account', id from a)
     select ${VIEW} from a`,
    change.accountId,
    change.tokens.sealed,
    change.tokens.keyId,
    newId(),
    change.actor,
  );
  return row ?? null;
}
