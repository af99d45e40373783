/** Says which column of a contact list holds what, by index from 0; `fields` are the extra merge fields. */
export interface ColumnMapping {
  readonly phone: number;
  readonly firstName: number | null;
  readonly lastName: number | null;
  readonly externalId: number | null;
  readonly postcode: number | null;
  /** Holds IANA names of time zones. */
  readonly zone: number | null;
  readonly fields: { name: string; index: number }[];
}

/** Holds the mapping of a list's columns, or why the header cannot be used. */
export type MappedColumns = { ok: true; mapping: ColumnMapping } | { ok: false; problem: string };

/** Bounds the extra merge fields of one list. */
export const MAX_EXTRA_FIELDS = 50;

// Spellings without case, accents, spaces and punctuation; the first that a header has wins.
const SPELLINGS = {
  phone: `
    cellphone cell cellphonenumber cellnumber mobilephone mobile mobilenumber mobilephonenumber textnumber
    smsnumber sms phone phonenumber phone1 primaryphone preferredphone bestphone telephone telephonenumber
    tel number msisdn e164 whatsapp celular telefono movil portable telefone simu homephone`,
  firstName: 'firstname first fname givenname forename nombre prenom',
  lastName: 'lastname last lname surname familyname apellido nomdefamille',
  externalId: `
    externalid id voterid vanid voterfilevanid myvcampaignvanid myvanid statefileid dwid contactid personid
    memberid supporterid constituentid uuid recordid externid`,
  postcode:
    'postcode postalcode zip zipcode zip5 mailzip mzip5 vzip mailingzip homezip codigopostal cep',
  zone: 'timezone zone tz ianatimezone zonahoraria',
} as const;

type Known = keyof typeof SPELLINGS;

// A field of these names would be read as a built-in one.
const TAKEN = ['phone', 'first_name', 'last_name', 'external_id', 'postcode', 'zone'];

/**
 * Guesses what the columns of a contact list hold from their names, whatever their case, spaces and underscores.
 *
 * Columns without a name are left out; every other column becomes a merge field with a snake_case name.
 */
export function mapColumns(header: readonly string[]): MappedColumns {
  const names = header.map(plain);
  const repeated = header.find((_, index) => {
    const key = names[index] ?? '';
    return key !== '' && names.indexOf(key) !== index;
  });
  if (repeated !== undefined) return refuse(`Two columns are named "${shorten(repeated)}".`);

  const found = findKnown(names);
  const { phone } = found;
  if (phone === null)
    return refuse('No column is named like a phone number, such as "phone" or "cell".');

  const known = new Set(Object.values(found));
  const extra = header
    .map((name, index) => ({ name, index }))
    .filter(({ name, index }) => name.trim() !== '' && !known.has(index));
  if (extra.length > MAX_EXTRA_FIELDS) {
    return refuse(
      `There are ${extra.length} extra columns; at most ${MAX_EXTRA_FIELDS} can be kept.`,
    );
  }
  return { ok: true, mapping: { ...found, phone, fields: nameFields(extra) } };
}

function findKnown(names: readonly string[]): Record<Known, number | null> {
  const find = (known: Known) => {
    const spellings = SPELLINGS[known].trim().split(/\s+/);
    const spelling = spellings.find((each) => names.includes(each));
    return spelling === undefined ? null : names.indexOf(spelling);
  };
  return {
    phone: find('phone'),
    firstName: find('firstName'),
    lastName: find('lastName'),
    externalId: find('externalId'),
    postcode: find('postcode'),
    zone: find('zone'),
  };
}

function nameFields(
  columns: readonly { name: string; index: number }[],
): { name: string; index: number }[] {
  const taken = new Set<string>(TAKEN);
  return columns.map(({ name, index }) => {
    const base = fieldName(name) || `column_${index + 1}`;
    let unique = base;
    for (let copy = 2; taken.has(unique); copy += 1) unique = `${base}_${copy}`;
    taken.add(unique);
    return { name: unique, index };
  });
}

function fieldName(name: string): string {
  const snake = unaccented(name)
    .replace(/(\p{Ll}|\d)(\p{Lu})/gu, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, 56)
    .replace(/^_+|_+$/g, '');
  const clashes = /^\d/.test(snake) || snake in {} || snake === 'prototype' || snake === 'proto';
  return clashes ? `field_${snake}` : snake;
}

function plain(name: string): string {
  const trimmed = name.replace(/\p{Cf}/gu, '').trim();
  return (
    unaccented(trimmed)
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]/gu, '') || trimmed
  );
}

function unaccented(name: string): string {
  return name.normalize('NFKD').replace(/\p{M}/gu, '');
}

function shorten(name: string): string {
  return name.trim().slice(0, 60);
}

function refuse(problem: string): MappedColumns {
  return { ok: false, problem };
}
