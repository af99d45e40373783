import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';
import { RING_AGAIN } from './wake.ts';

export const EXPORT_STATES = [
  'queued',
  'running',
  'finished',
  'failed',
  'cancelled',
  'expired',
] as const;

export interface ExportView {
  readonly id: string;
  readonly kind: 'messages';
  readonly format: 'csv' | 'ndjson';
  readonly campaignId: string | null;
  readonly createdFrom: Date | null;
  readonly createdTo: Date | null;
  readonly fullNumbers: boolean;
  readonly state: (typeof EXPORT_STATES)[number];
  readonly problem: string | null;
  readonly rowsDone: number;
  readonly rowsExpected: number | null;
  readonly chunks: number;
  readonly bytes: string;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

const VIEW = `e.id, e.kind, e.format, e.campaign_id as "campaignId", e.created_from as "createdFrom", e.created_to as "createdTo",
  e.full_numbers as "fullNumbers", e.state::text as state, e.problem, e.rows_done::float8 as "rowsDone", e.rows_expected::float8 as "rowsExpected",
  e.chunks, e.bytes::text as bytes, e.created_at as "createdAt", e.started_at as "startedAt", e.finished_at as "finishedAt"`;

/** Asks for an export and rings its workflow. The campaign must be the org's. */
export async function insertExport(
  tenant: TenantDatabase,
  wish: {
    readonly kind: string;
    readonly format: string;
    readonly campaignId: string | null;
    readonly createdFrom: Date | null;
    readonly createdTo: Date | null;
    readonly fullNumbers: boolean;
    readonly actor: string;
  },
): Promise<ExportView> {
  const [row] = await tenant.query<ExportView>(
    `with e as (
       insert into export (id, org_id, kind, format, campaign_id, created_from, created_to, full_numbers)
       values ($1::uuid, current_org(), $2, $3, $4::uuid, $5::timestamptz, $6::timestamptz, $7::boolean) returning *),
     rung as (
       insert into outbox (kind, ref_id) select 'start_export', id from e
       ${RING_AGAIN}),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $8::uuid, org_id, $9, 'export.create', 'export', id,
              jsonb_build_object('kind', kind, 'format', format, 'campaignId', campaign_id, 'fullNumbers', full_numbers) from e)
     select ${VIEW} from e`,
    newId(),
    wish.kind,
    wish.format,
    wish.campaignId,
    wish.createdFrom,
    wish.createdTo,
    wish.fullNumbers,
    newId(),
    wish.actor,
  );
  if (row === undefined) throw new Error('could not insert an export');
  return row;
}

export async function findExportView(
  tenant: TenantDatabase,
  exportId: string,
): Promise<ExportView | null> {
  const [row] = await tenant.query<ExportView>(
    `select ${VIEW} from export e where e.id = $1::uuid`,
    exportId,
  );
  return row ?? null;
}

export async function listExports(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<ExportView>> {
  const rows = await tenant.query<ExportView>(
    `select ${VIEW} from export e where ${pageBy('e')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

/** Asks an export to stop at its next page; one that has not begun is cancelled at once. */
export async function cancelExport(
  tenant: TenantDatabase,
  exportId: string,
  actor: string,
): Promise<boolean> {
  const rows = await tenant.query(
    `with e as (
       update export set cancel_requested = true,
              state = case when state = 'queued' then 'cancelled' else state end,
              finished_at = case when state = 'queued' then now() end
        where id = $1::uuid and state in ('queued', 'running') returning id, org_id),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $2::uuid, org_id, $3, 'export.cancel', 'export', id from e)
     select 1 as done from e`,
    exportId,
    newId(),
    actor,
  );
  return rows.length > 0;
}

/** The file of a finished export, a chunk at a time; throws where one is gone, for a part must not pass for the whole. */
export async function* readExportFile(
  tenant: TenantDatabase,
  file: Pick<ExportView, 'id' | 'chunks'>,
): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < file.chunks; n += 1) {
    const [chunk] = await tenant.query<{ data: Uint8Array }>(
      'select data from export_chunk where export_id = $1::uuid and n = $2::int',
      file.id,
      n,
    );
    if (chunk === undefined) throw new Error(`chunk ${n} of export ${file.id} is gone`);
    yield chunk.data;
  }
}
