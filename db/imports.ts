import { PLANNED_ANEW, type Database } from './client.ts';
import { newId } from './ids.ts';

export interface ImportRow {
  readonly id: string;
  readonly org_id: string;
  readonly list_id: string;
  readonly blob_sha256: string;
  readonly default_country: string;
  readonly state: string;
  readonly cancel_requested: boolean;
  readonly mapping: unknown;
  readonly cursor_row: number;
  readonly cursor_byte: bigint;
  readonly total_bytes: bigint;
  readonly created_at: Date;
}

export async function findImport(database: Database, importId: string): Promise<ImportRow | null> {
  const [row] = await database.query<ImportRow>(
    `select id, org_id, list_id, blob_sha256, default_country, state::text as state, cancel_requested, mapping, cursor_row,
            cursor_byte, total_bytes, created_at from import where id = $1::uuid`,
    importId,
  );
  return row ?? null;
}

/** Begins (or, after a crash, goes on with) an import; the mapping is kept so that both agree. */
export async function startImport(
  database: Database,
  importId: string,
  mapping: unknown,
): Promise<void> {
  await database.query(
    `update import set state = 'running', mapping = $2::jsonb, started_at = coalesce(started_at, now())
      where id = $1::uuid and state in ('queued', 'running') returning 1 as done`,
    importId,
    JSON.stringify(mapping),
  );
}

export async function endImport(
  database: Database,
  end: {
    readonly importId: string;
    readonly state: 'finished' | 'failed' | 'cancelled';
    readonly problem: string | null;
    readonly problemRow: number | null;
  },
): Promise<void> {
  await database.query(
    `update import set state = $2::import_state, problem = $3, problem_row = $4::int, finished_at = now()
      where id = $1::uuid and state in ('queued', 'running') returning 1 as done`,
    end.importId,
    end.state,
    end.problem,
    end.problemRow,
  );
}

/** A row that names a reachable person. */
export interface ImportedPerson {
  readonly rowNo: number;
  readonly e164: string;
  readonly country: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly externalId: string | null;
  readonly postcode: string | null;
  readonly fields: Readonly<Record<string, string>>;
  /** The position of its zone set's id in `zoneSetIds`. */
  readonly zoneSet: number;
}

/** The zones and jurisdictions that a person may be in. */
export interface ZoneSet {
  readonly zones: readonly string[];
  readonly places: readonly string[];
}

/** The ids of zone sets, made where they are missing, in the order of the question. They never change. */
export async function findZoneSets(
  database: Database,
  sets: readonly ZoneSet[],
): Promise<number[]> {
  if (sets.length === 0) return [];
  const rows = await database.query<{ n: number; id: number }>(
    `with p as (select * from jsonb_to_recordset($1::jsonb) p(n int, zones text[], places text[])),
     made as (
       insert into zone_set (zones, places) select distinct zones, places from p
        where not exists (select 1 from zone_set z where z.zones = p.zones and z.places = p.places) order by zones, places
       on conflict (zones, places) do update set zones = excluded.zones returning id, zones, places)
     select p.n, coalesce(m.id, z.id) as id from p
       left join made m on m.zones = p.zones and m.places = p.places
       left join zone_set z on z.zones = p.zones and z.places = p.places`,
    JSON.stringify(sets.map(({ zones, places }, n) => ({ n, zones, places }))),
  );
  const ids = new Map(rows.map(({ n, id }) => [n, id]));
  return sets.map((set, n) => {
    const id = ids.get(n);
    if (id === undefined) throw new Error(`could not make the zone set ${set.zones.join()}`);
    return id;
  });
}

export interface RejectedRow {
  readonly rowNo: number;
  readonly reason: string;
  readonly detail: string;
  readonly duplicateOf: number | null;
}

/**
 * Writes one chunk of an import: contacts (one per number, the later file wins where it says more), list
 * membership, the verdict of every row, and the cursor with its counts. One statement, and only if the cursor
 * still stands where the chunk began: a killed worker's chunk is whole or absent.
 *
 * The people of a chunk differ in number and external id, and nothing narrows their estimate down to one row:
 * when a join with the zone sets did, the planner joined what was inserted row by row, a thousand times a
 * thousand. Planned for each chunk: the plan of six small files before, on all but empty tables, looked external ids up
 * through the wrong index, and a chunk took five seconds. Nobody who was inserted just now can be on a list.
 * Its commit is not waited for: after a power cut rows and cursor are both of an earlier chunk, and the import goes on
 * there. The end of an import is waited for, and with it all that came before.
 * Measured: `npm run bench -- import`.
 */
const WRITE_CHUNK = `${PLANNED_ANEW}
with i as (
  select id, org_id, list_id, set_config('synchronous_commit', 'off', true) from import
   where id = $1::uuid and cursor_row = $2::int and state = 'running' and not cancel_requested for update),
p as materialized (
  select x.id::uuid as id, x.row_no::int as row_no, x.e164, x.country, coalesce(x.first_name, '') as first_name,
         coalesce(x.last_name, '') as last_name, x.external_id, x.postcode, x.fields::jsonb as fields, x.zone_set_id::int as zone_set_id, i.org_id
    from i, rows from (
      string_to_table($9, e'\x1f'), string_to_table($10, e'\x1f'), string_to_table($11, e'\x1f'), string_to_table($12, e'\x1f'),
      string_to_table($13, e'\x1f'), string_to_table($14, e'\x1f'), string_to_table($15, e'\x1f', ''), string_to_table($16, e'\x1f', ''),
      string_to_table($17, e'\x1f'), string_to_table($18, e'\x1f'))
      x(id, row_no, e164, country, first_name, last_name, external_id, postcode, fields, zone_set_id)),
taken as materialized (
  select k.external_id, k.e164 from contact k
   where k.org_id = (select org_id from i) and k.external_id = any(array(select external_id from p where external_id is not null))),
named as materialized (
  select p.*, case when t.e164 is distinct from p.e164 and t.external_id is not null then null else p.external_id end as free_external_id
    from p left join taken t on t.external_id = p.external_id),
people as (
  insert into contact (id, org_id, e164, external_id, first_name, last_name, postcode, country, fields, zone_set_id)
  select id, org_id, e164, free_external_id, first_name, last_name, postcode, country, fields, zone_set_id
    from named order by e164
  on conflict (org_id, e164) do update set
     external_id = coalesce(contact.external_id, excluded.external_id),
     first_name = coalesce(nullif(excluded.first_name, ''), contact.first_name),
     last_name = coalesce(nullif(excluded.last_name, ''), contact.last_name),
     postcode = coalesce(excluded.postcode, contact.postcode),
     fields = contact.fields || excluded.fields,
     zone_set_id = case when excluded.postcode is not null then excluded.zone_set_id else contact.zone_set_id end,
     updated_at = now()
   where contact.state <> 'erased'
  returning id, e164, state, xmax = 0 as is_new),
verdict as (
  select n.row_no, n.e164, k.id as contact_id, i.list_id, i.org_id, i.id as import_id, m.row_no as earlier_row, m.import_id as earlier_import,
         case when k.id is null then 'erased'
              when k.state <> 'active' then k.state::text
              when exists (select 1 from suppression s where s.address = n.e164 and s.lifted_at is null and (s.org_id = i.org_id or s.org_id is null)
                            and s.scope <> 'programme') then 'opted-out'
              when m.import_id = i.id then 'duplicate'
              when m.import_id is not null then 'already-on-list' end as reason
    from named n cross join i left join people k on k.e164 = n.e164
    left join lateral (
      select m.row_no, m.import_id from contact_list_member m where m.list_id = i.list_id and m.contact_id = k.id and not k.is_new limit 1) m on true),
joined as (
  insert into contact_list_member (list_id, contact_id, org_id, import_id, row_no)
  select list_id, contact_id, org_id, import_id, row_no from verdict where reason is null order by contact_id
  on conflict do nothing returning row_no),
rejected as (
  insert into import_reject (import_id, row_no, org_id, reason, detail, duplicate_of)
  select import_id, row_no, org_id, reason, case reason when 'duplicate' then 'same number as row ' || earlier_row
             when 'already-on-list' then 'another file already put this number on the list'
             when 'opted-out' then 'this person opted out' else 'this number cannot be texted' end,
         case when reason = 'duplicate' then earlier_row end
    from verdict where reason is not null
  union all
  select i.id, r.row_no, i.org_id, r.reason, r.detail, r.duplicate_of
    from i, unnest($5::int[], $6::text[], $7::text[], $8::int[]) r(row_no, reason, detail, duplicate_of)
  on conflict do nothing returning row_no, reason),
moved as (
  update import m set
      cursor_row = $3::int, cursor_byte = $4::bigint,
      accepted_rows = m.accepted_rows + (select count(*) from joined),
      rejects_by_reason = (
        select coalesce(jsonb_object_agg(t.reason, t.n), '{}') from (
          select reason, sum(n) as n from (
              select reason, count(*) as n from rejected group by 1
              union all select key, value::bigint from jsonb_each_text(m.rejects_by_reason)) r group by 1) t)
    from i where m.id = i.id)
select case when exists (select from i) then 'written' when (select cancel_requested from import where id = $1::uuid) then 'cancelled'
            else 'overtaken' end as outcome`;

/** Rows of a file, ready for the statement that writes them. */
export type PackedChunk = readonly unknown[];

/** Packs rows, so that nothing but the database is waited for when their turn comes. */
export function packImportChunk(chunk: {
  readonly import: ImportRow;
  readonly fromRow: number;
  readonly toRow: number;
  readonly toByte: number;
  readonly people: readonly ImportedPerson[];
  readonly rejects: readonly RejectedRow[];
  readonly zoneSetIds: readonly number[];
}): PackedChunk {
  const { people, rejects } = chunk;
  return [
    chunk.import.id,
    chunk.fromRow,
    chunk.toRow,
    chunk.toByte,
    rejects.map((reject) => reject.rowNo),
    rejects.map((reject) => reject.reason),
    rejects.map((reject) => reject.detail),
    rejects.map((reject) => reject.duplicateOf),
    // By time, so that the rows of a file lie beside each other in the indexes.
    column(people, () => newId()),
    column(people, (person) => person.rowNo),
    column(people, (person) => person.e164),
    column(people, (person) => person.country),
    column(people, (person) => person.firstName),
    column(people, (person) => person.lastName),
    column(people, (person) => person.externalId),
    column(people, (person) => person.postcode),
    column(people, (person) => JSON.stringify(person.fields)),
    column(people, (person) => zoneSetIdOf(person, chunk.zoneSetIds)),
  ];
}

/**
 * Writes the rows behind the cursor, and moves it. Nothing is written where somebody asked to cancel, or where the cursor
 * stands elsewhere, because another worker moved it.
 */
export async function writeImportChunk(
  database: Database,
  chunk: PackedChunk,
): Promise<'written' | 'cancelled' | 'overtaken'> {
  const [row] = await database.query<{ outcome: 'written' | 'cancelled' | 'overtaken' }>(
    WRITE_CHUNK,
    ...chunk,
  );
  return row?.outcome ?? 'overtaken';
}

/**
 * The values of a column in one text, in which no value may hold a unit separator: half of what it costs to write them
 * as JSON and to read them again. An empty one is a null, or an empty text where there is no null.
 */
function column(
  people: readonly ImportedPerson[],
  valueOf: (person: ImportedPerson) => string | number | null,
): string {
  return people.map(valueOf).join('\u001F');
}

function zoneSetIdOf(person: ImportedPerson, ids: readonly number[]): number {
  const id = ids[person.zoneSet];
  // Nothing else would notice: the column has no foreign key, and who has no zones has no hours.
  if (id === undefined) throw new Error(`could not find the zone set of row ${person.rowNo}`);
  return id;
}
