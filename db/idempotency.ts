import type { TenantDatabase } from './client.ts';

/** The first answer to a request that carried a key. */
export interface StoredAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What a request with a key has to do. */
export type IdempotentBegin =
  | { readonly kind: 'begun' }
  | { readonly kind: 'answered'; readonly answer: StoredAnswer }
  | { readonly kind: 'reused' }
  | { readonly kind: 'in-flight' };

/** A request without an answer for so long has died, and may be done again. */
const DEAD_AFTER_S = 60;

/** The row comes before the work, so that of two equal requests at once only one works. */
const BEGIN = `
with begun as (
  insert into idempotency_key as k (org_id, key, request_sha256) values (current_org(), $1, $2)
  on conflict (org_id, key) do update set created_at = now()
   where k.status is null and k.request_sha256 = excluded.request_sha256
     and k.created_at < now() - interval '${DEAD_AFTER_S} s'
  returning 1 as done)
select (select count(*)::int from begun) as begun, k.request_sha256 as sha256, k.status, k.response
  from (select 1) one left join idempotency_key k on k.org_id = current_org() and k.key = $1`;

export async function beginIdempotent(
  tenant: TenantDatabase,
  request: { readonly key: string; readonly sha256: string },
): Promise<IdempotentBegin> {
  const [row] = await tenant.query<{
    begun: number;
    sha256: string | null;
    status: number | null;
    response: unknown;
  }>(BEGIN, request.key, request.sha256);
  if (row === undefined || row.begun === 1) return { kind: 'begun' };
  if (row.sha256 !== null && row.sha256 !== request.sha256) return { kind: 'reused' };
  if (row.status === null) return { kind: 'in-flight' };
  return { kind: 'answered', answer: { status: row.status, body: row.response } };
}

export async function finishIdempotent(
  tenant: TenantDatabase,
  key: string,
  answer: StoredAnswer,
): Promise<void> {
  await tenant.query(
    'update idempotency_key set status = $2::int, response = $3::jsonb where org_id = current_org() and key = $1 returning 1 as done',
    key,
    answer.status,
    JSON.stringify(answer.body),
  );
}

/** Forgets a request that came to nothing, so that it may be sent again. */
export async function dropIdempotent(tenant: TenantDatabase, key: string): Promise<void> {
  await tenant.query(
    'delete from idempotency_key where org_id = current_org() and key = $1 and status is null returning 1 as done',
    key,
  );
}
