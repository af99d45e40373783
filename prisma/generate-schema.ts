/**
 * Prints the Prisma schema of a migrated database. The SQL migrations are the truth; a test compares
 * this output with the committed prisma/schema.prisma.
 */
import type pg from 'pg';

interface Column {
  readonly table_name: string;
  readonly table_comment: string | null;
  readonly name: string;
  readonly comment: string | null;
  readonly type: string;
  readonly nullable: boolean;
  readonly default_expression: string | null;
  readonly identity: boolean;
}

interface Key {
  readonly table_name: string;
  readonly kind: 'p' | 'u';
  readonly columns: readonly string[];
}

interface Enum {
  readonly name: string;
  readonly labels: readonly string[];
}

const HEADER = `/// Generated from the migrated database by \`npm start -- print-schema\`: change the SQL migrations, not this file.

generator client {
  provider = "prisma-client"
  output   = "generated"
}

datasource db {
  provider = "postgresql"
}
`;

const SCALARS: Readonly<Record<string, string>> = {
  uuid: 'String @db.Uuid',
  text: 'String',
  integer: 'Int',
  smallint: 'Int @db.SmallInt',
  bigint: 'BigInt',
  boolean: 'Boolean',
  bytea: 'Bytes',
  jsonb: 'Json',
  date: 'DateTime @db.Date',
  'double precision': 'Float',
};

/** Reads the catalogs and renders every table and enum, in alphabetical order. */
export async function generateSchema(client: pg.Client): Promise<string> {
  const enums = await readEnums(client);
  const columns = await readColumns(client);
  const keys = await readKeys(client);
  const tables = [...new Set(columns.map((column) => column.table_name))];
  return [
    HEADER,
    ...tables.map((table) =>
      renderModel(
        columns.filter((column) => column.table_name === table),
        keys.filter((key) => key.table_name === table),
        enums,
      ),
    ),
    ...enums.map(renderEnum),
  ].join('\n');
}

function renderModel(
  columns: readonly Column[],
  keys: readonly Key[],
  enums: readonly Enum[],
): string {
  const table = columns[0]?.table_name ?? '';
  const comment = columns[0]?.table_comment;
  return [
    ...(comment === null || comment === undefined ? [] : [`/// ${comment}`]),
    `model ${pascal(table)} {`,
    ...columns.flatMap((column) => renderField(column, enums)),
    '',
    ...keys.map(
      (key) => `  @@${key.kind === 'p' ? 'id' : 'unique'}([${key.columns.map(camel).join(', ')}])`,
    ),
    `  @@map("${table}")`,
    '}',
    '',
  ].join('\n');
}

function renderField(column: Column, enums: readonly Enum[]): string[] {
  const [type = '', ...attributes] = prismaType(column.type, enums).split(' ');
  const optional = column.nullable && !type.endsWith('[]') ? '?' : '';
  const fallback = column.identity
    ? ['@default(autoincrement())']
    : column.default_expression === null
      ? []
      : [`@default(dbgenerated(${JSON.stringify(column.default_expression)}))`];
  const map = camel(column.name) === column.name ? [] : [`@map("${column.name}")`];
  const line = `  ${[camel(column.name), type + optional, ...attributes, ...fallback, ...map].join(' ')}`;
  return column.comment === null ? [line] : [`  /// ${column.comment}`, line];
}

function prismaType(type: string, enums: readonly Enum[]): string {
  if (type.endsWith('[]')) return listType(prismaType(type.slice(0, -2), enums));
  const scalar = SCALARS[type];
  if (scalar !== undefined) return scalar;
  const timestamp = /^timestamp\((\d)\) with time zone$/.exec(type);
  if (timestamp) return `DateTime @db.Timestamptz(${timestamp[1]})`;
  const char = /^character\((\d+)\)$/.exec(type);
  if (char) return `String @db.Char(${char[1]})`;
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(type);
  if (numeric) return `Decimal @db.Decimal(${numeric[1]}, ${numeric[2]})`;
  if (enums.some((known) => known.name === type)) return pascal(type);
  throw new Error(`prisma/generate-schema.ts does not know the column type ${type}`);
}

function listType(element: string): string {
  const [type, ...attributes] = element.split(' ');
  return [`${type}[]`, ...attributes].join(' ');
}

function renderEnum({ name, labels }: Enum): string {
  return [
    `enum ${pascal(name)} {`,
    ...labels.map(renderLabel),
    '',
    `  @@map("${name}")`,
    '}',
    '',
  ].join('\n');
}

/** A label may begin with a digit or be a word that Prisma keeps; then it goes by another name. */
function renderLabel(label: string): string {
  return /^[a-z]/.test(label) ? `  ${label}` : `  _${label} @map("${label}")`;
}

function pascal(name: string): string {
  return name
    .split('_')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
}

function camel(name: string): string {
  const whole = pascal(name);
  return whole.charAt(0).toLowerCase() + whole.slice(1);
}

async function readEnums(client: pg.Client): Promise<Enum[]> {
  const { rows } = await client.query<Enum>(
    `select t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
       from pg_type t join pg_enum e on e.enumtypid = t.oid
      where t.typnamespace = 'public'::regnamespace group by t.typname order by t.typname`,
  );
  return rows;
}

async function readColumns(client: pg.Client): Promise<Column[]> {
  const { rows } = await client.query<Column>(
    `select c.relname as table_name, obj_description(c.oid) as table_comment, a.attname as name,
            col_description(c.oid, a.attnum) as comment, format_type(a.atttypid, a.atttypmod) as type,
            not a.attnotnull as nullable, pg_get_expr(d.adbin, d.adrelid) as default_expression,
            a.attidentity <> '' as identity
       from pg_class c
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and c.relname not like '\\_%'
      order by c.relname, a.attnum`,
  );
  return rows;
}

async function readKeys(client: pg.Client): Promise<Key[]> {
  const { rows } = await client.query<Key>(
    `select c.relname as table_name, k.contype as kind,
            array(select a.attname::text from unnest(k.conkey) with ordinality u(n, o)
                    join pg_attribute a on a.attrelid = c.oid and a.attnum = u.n order by o) as columns
       from pg_constraint k join pg_class c on c.oid = k.conrelid
      where c.relnamespace = 'public'::regnamespace and not c.relispartition and k.contype in ('p', 'u')
      order by c.relname, k.contype, k.conname`,
  );
  return rows;
}
