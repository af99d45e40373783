import type { Database } from './client.ts';

export interface AccountRow {
  readonly id: string;
  readonly org_id: string;
  readonly org_name: string;
  readonly provider: string;
  readonly account_sid: string;
  readonly auth_tokens_encrypted: Uint8Array;
  readonly key_id: string;
  readonly base_url: string | null;
  readonly state: string;
  readonly gap_since: Date | null;
  readonly inbound_seen_at: Date | null;
}

/** A provider account with its tokens opened, and whose it is. */
export interface LoadedAccount {
  readonly account: {
    readonly id: string;
    readonly accountSid: string;
    readonly authTokens: readonly [string, ...string[]];
    readonly baseUrl: string | null;
  };
  readonly orgId: string;
  readonly orgName: string;
  readonly provider: string;
  readonly gapSince: Date | null;
  readonly inboundSeenAt: Date | null;
}

/** Opens what was sealed at rest with the key of that name. */
export type Unseal = (sealed: Uint8Array, keyId: string) => string;

/** How long a loaded account is trusted before its row is read again: a rotated token is picked up by then. */
const FRESH_MS = 2_000;
const MAX_CACHED = 10_000;

const ACCOUNT = `
select a.id, a.org_id, o.name as org_name, a.provider, a.account_sid, a.auth_tokens_encrypted, a.key_id, a.base_url,
       a.state::text as state, a.gap_since, a.inbound_seen_at
  from provider_account a join org o on o.id = a.org_id`;

/** Nobody has thrown a kill switch over the account `a`: its own, its org's, the deployment's; and nothing of it is lost. */
export const ACCOUNT_IS_ON = `a.state = 'active' and a.lost_since is null
       and not exists (select 1 from org o where o.id = a.org_id and o.sending_stopped_at is not null)
       and not exists (select 1 from deployment d where d.id = 1 and (d.stopped_at is not null or d.safe_mode_at is not null))`;

/**
 * After an outage a stop may be waiting in the provider's list: five minutes at most. Until the first beat
 * after it nobody has noticed the outage yet, so an old beat closes everything too.
 */
export const ACCOUNT_MAY_SEND = `${ACCOUNT_IS_ON}
       and (a.gap_since is null or a.gap_noticed_at < now() - interval '5 minutes')
       and (select beat_at from deployment where id = 1) > now() - interval '10 s'`;

/** `defaultBaseUrl` stands in for accounts that name none; null: the provider's own address. */
export function createAccountLoader(
  database: Database,
  unseal: Unseal,
  defaultBaseUrl: string | null = null,
) {
  const cache = new Map<
    string,
    { readonly until: number; readonly loaded: Promise<LoadedAccount | null> }
  >();

  const load = async (accountId: string): Promise<LoadedAccount | null> => {
    const [row] = await database.query<AccountRow>(`${ACCOUNT} where a.id = $1::uuid`, accountId);
    if (row === undefined) return null;
    return openAccount({ ...row, base_url: row.base_url ?? defaultBaseUrl }, unseal);
  };

  return {
    /** As `find`, but as the row stands now. */
    findFresh: load,
    /** One account by our id; null when there is none. */
    find: (accountId: string): Promise<LoadedAccount | null> => {
      const known = cache.get(accountId);
      if (known !== undefined && known.until > performance.now()) return known.loaded;
      if (cache.size >= MAX_CACHED) cache.clear();
      const loaded = load(accountId);
      cache.set(accountId, { until: performance.now() + FRESH_MS, loaded });
      loaded.catch(() => cache.delete(accountId));
      return loaded;
    },
  };
}

export type AccountLoader = ReturnType<typeof createAccountLoader>;

function openAccount(row: AccountRow, unseal: Unseal): LoadedAccount {
  const tokens: unknown = JSON.parse(unseal(row.auth_tokens_encrypted, row.key_id));
  const [first, ...rest] = Array.isArray(tokens)
    ? tokens.filter((token) => typeof token === 'string')
    : [];
  if (first === undefined) throw new Error(`Account ${row.id} has no auth token`);
  return {
    account: {
      id: row.id,
      accountSid: row.account_sid,
      authTokens: [first, ...rest],
      baseUrl: row.base_url,
    },
    orgId: row.org_id,
    orgName: row.org_name,
    provider: row.provider,
    gapSince: row.gap_since,
    inboundSeenAt: row.inbound_seen_at,
  };
}

/** Seals the tokens of every account anew that another key sealed; returns how many. */
export async function resealAccounts(
  database: Database,
  box: {
    readonly keyId: string;
    readonly seal: (plain: string) => Uint8Array;
    readonly open: Unseal;
  },
): Promise<number> {
  let n = 0;
  for (;;) {
    const rows = await database.query<Pick<AccountRow, 'id' | 'auth_tokens_encrypted' | 'key_id'>>(
      'select id, auth_tokens_encrypted, key_id from provider_account where key_id <> $1 order by id limit 500',
      box.keyId,
    );
    if (rows.length === 0) return n;
    for (const row of rows) {
      const sealed = box.seal(box.open(row.auth_tokens_encrypted, row.key_id));
      // Whoever set new tokens meanwhile sealed them with the new key.
      await database.query(
        `update provider_account set auth_tokens_encrypted = $3::bytea, key_id = $4 where id = $1::uuid and key_id = $2 returning 1 as done`,
        row.id,
        row.key_id,
        sealed,
        box.keyId,
      );
      n += 1;
    }
  }
}

/** Ids of all accounts, for jobs that go over each. */
export async function listAccountIds(database: Database): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    'select id from provider_account order by id limit 10000',
  );
  return rows.map((row) => row.id);
}

/** The numbers of an account, in any state: people answer to stopped ones too. */
export async function listNumbers(database: Database, accountId: string): Promise<string[]> {
  const rows = await database.query<{ e164: string }>(
    'select e164 from sender where account_id = $1::uuid order by id limit 10000',
    accountId,
  );
  return rows.map((row) => row.e164);
}
