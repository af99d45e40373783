import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';

export interface ScriptVersionView {
  readonly id: string;
  readonly version: number;
  readonly graph: unknown;
  readonly createdAt: Date;
}

export interface ScriptView {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

/** Jsonb of the newest version; dates come back as text. */
const VIEW = `s.id, s.name, s.created_at as "createdAt"`;
const VERSION_VIEW = `v.id, v.version, v.graph, v.created_at as "createdAt"`;

export async function insertScript(
  tenant: TenantDatabase,
  script: { readonly name: string; readonly graph: unknown; readonly actor: string },
): Promise<string> {
  const id = newId();
  await tenant.query(
    `with s as (insert into script (id, org_id, name) values ($1::uuid, current_org(), $2) returning id, org_id),
     v as (
       insert into script_version (id, script_id, org_id, version, graph)
       select $3::uuid, id, org_id, 1, $4::jsonb from s),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id)
       select $5::uuid, org_id, $6, 'script.create', 'script', id from s)
     select 1 as done from s`,
    id,
    script.name,
    newId(),
    JSON.stringify(script.graph),
    newId(),
    script.actor,
  );
  return id;
}

/** Adds the next version; null when there is no such script. Two at once: the unique number lets one of them fail. */
export async function insertScriptVersion(
  tenant: TenantDatabase,
  version: { readonly scriptId: string; readonly graph: unknown; readonly actor: string },
): Promise<ScriptVersionView | null> {
  const [row] = await tenant.query<ScriptVersionView>(
    `with s as (select id, org_id from script where id = $1::uuid for update),
     v as (
       insert into script_version (id, script_id, org_id, version, graph)
       select $2::uuid, s.id, s.org_id,
              (select coalesce(max(x.version), 0) + 1 from script_version x where x.script_id = s.id), $3::jsonb from s
       returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $4::uuid, org_id, $5, 'script.add_version', 'script', script_id, jsonb_build_object('version', version) from v)
     select ${VERSION_VIEW} from v`,
    version.scriptId,
    newId(),
    JSON.stringify(version.graph),
    newId(),
    version.actor,
  );
  return row ?? null;
}

export async function listScripts(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<ScriptView & { readonly versions: number }>> {
  const rows = await tenant.query<ScriptView & { readonly versions: number }>(
    `select ${VIEW}, (select max(v.version) from script_version v where v.script_id = s.id) as versions
       from script s where ${pageBy('s')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

export async function findScript(
  tenant: TenantDatabase,
  scriptId: string,
): Promise<(ScriptView & { readonly version: ScriptVersionView }) | null> {
  const [row] = await tenant.query<
    ScriptView & {
      readonly versionId: string;
      readonly version: number;
      readonly graph: unknown;
      readonly versionAt: Date;
    }
  >(
    `select ${VIEW}, v.id as "versionId", v.version, v.graph, v.created_at as "versionAt"
       from script s join script_version v on v.script_id = s.id where s.id = $1::uuid
      order by v.version desc limit 1`,
    scriptId,
  );
  if (row === undefined) return null;
  const { id, name, createdAt } = row;
  const version = {
    id: row.versionId,
    version: row.version,
    graph: row.graph,
    createdAt: row.versionAt,
  };
  return { id, name, createdAt, version };
}
