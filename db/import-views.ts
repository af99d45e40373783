import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { RING_AGAIN } from './wake.ts';

export type ImportState = 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';

export interface ImportView {
  readonly id: string;
  readonly listId: string;
  readonly fileName: string;
  readonly state: ImportState;
  readonly problem: string | null;
  readonly problemRow: number | null;
  readonly decided: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly bytesDone: string;
  readonly bytesTotal: string;
  readonly rejectsByReason: Record<string, number>;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** Counts are those that each chunk moved with the cursor. */
const VIEW = `
select i.id, i.list_id as "listId", i.file_name as "fileName", i.state::text as state, i.problem, i.problem_row as "problemRow",
       i.cursor_row as decided, i.accepted_rows as accepted,
       coalesce((select sum(value::int) from jsonb_each_text(i.rejects_by_reason)), 0)::int as rejected,
       (case when i.state = 'finished' then i.total_bytes else i.cursor_byte end)::text as "bytesDone",
       i.total_bytes::text as "bytesTotal", i.rejects_by_reason as "rejectsByReason",
       i.created_at as "createdAt", i.started_at as "startedAt", i.finished_at as "finishedAt"
  from import i where i.id = $1::uuid`;

/** The import of this file into this list, made now or before; made now it is also rung. */
export async function insertImport(
  tenant: TenantDatabase,
  upload: {
    readonly listId: string;
    readonly sha256: string;
    readonly size: number;
    readonly fileName: string;
    readonly defaultCountry: string;
    readonly actor: string;
  },
): Promise<{ readonly id: string; readonly fresh: boolean } | null> {
  const [made] = await tenant.query<{ id: string }>(
    `with i as (
       insert into import (id, org_id, list_id, blob_sha256, file_name, default_country, total_bytes)
       select $1::uuid, l.org_id, l.id, $3, $4, $5, $6::bigint from contact_list l where l.id = $2::uuid
       on conflict (list_id, blob_sha256) do nothing returning id, org_id),
     rung as (
       insert into outbox (kind, ref_id) select 'start_import', id from i
       ${RING_AGAIN}),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $7::uuid, org_id, $8, 'import.create', 'import', id from i)
     select id from i`,
    newId(),
    upload.listId,
    upload.sha256,
    upload.fileName,
    upload.defaultCountry,
    upload.size,
    newId(),
    upload.actor,
  );
  if (made !== undefined) return { id: made.id, fresh: true };
  const [known] = await tenant.query<{ id: string }>(
    'select id from import where list_id = $1::uuid and blob_sha256 = $2',
    upload.listId,
    upload.sha256,
  );
  return known === undefined ? null : { id: known.id, fresh: false };
}

export async function findImportView(
  tenant: TenantDatabase,
  importId: string,
): Promise<ImportView | null> {
  const [row] = await tenant.query<ImportView>(VIEW, importId);
  return row ?? null;
}

/** Asks an import to stop at its next chunk; one that has not begun is cancelled at once. */
export async function cancelImport(
  tenant: TenantDatabase,
  importId: string,
  actor: string,
): Promise<boolean> {
  const rows = await tenant.query(
    `with i as (
       update import set cancel_requested = true,
              state = case when state = 'queued' then 'cancelled' else state end,
              finished_at = case when state = 'queued' then now() end
        where id = $1::uuid and state in ('queued', 'running') returning id, org_id),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $2::uuid, org_id, $3, 'import.cancel', 'import', id from i)
     select 1 as done from i`,
    importId,
    newId(),
    actor,
  );
  return rows.length > 0;
}

/** What became of one row of the file. */
export interface Verdict {
  readonly row: number;
  readonly verdict: 'accepted' | 'rejected';
  readonly reason: string | null;
  readonly detail: string | null;
  readonly duplicateOf: number | null;
}

export type Reject = Omit<Verdict, 'verdict'> & {
  readonly reason: string;
  readonly detail: string;
};

export async function listRejects(
  tenant: TenantDatabase,
  slice: { readonly importId: string; readonly afterRow: number; readonly limit: number },
): Promise<Reject[]> {
  return tenant.query<Reject>(
    `select row_no as row, reason, detail, duplicate_of as "duplicateOf" from import_reject
      where import_id = $1::uuid and row_no > $2::int order by row_no limit $3::int`,
    slice.importId,
    slice.afterRow,
    slice.limit,
  );
}

/** Every row's verdict in the order of the file; both halves are read by their own index. */
export async function listVerdicts(
  tenant: TenantDatabase,
  slice: { readonly importId: string; readonly afterRow: number; readonly limit: number },
): Promise<Verdict[]> {
  return tenant.query<Verdict>(
    `select * from (
       (select row_no as row, 'accepted' as verdict, null as reason, null as detail, null::int as "duplicateOf"
          from contact_list_member where import_id = $1::uuid and row_no > $2::int order by row_no limit $3::int)
       union all
       (select row_no, 'rejected', reason, detail, duplicate_of
          from import_reject where import_id = $1::uuid and row_no > $2::int order by row_no limit $3::int)) v
      order by v.row limit $3::int`,
    slice.importId,
    slice.afterRow,
    slice.limit,
  );
}
