import { AREA_CODE_ZONES } from './data/area-code-zones.ts';
import { COUNTRY_ZONES } from './data/country-zones.ts';
import { CANADIAN_POSTCODE_ZONES, ZIP_PREFIX_ZONES } from './data/postcode-zones.ts';
import { namesByKey, zipPrefix } from './ranges.ts';

/** Lists a zone for every clock of the continental United States. */
export const CONTINENTAL_US_ZONES: readonly string[] = [
  'America/Chicago',
  'America/Denver',
  'America/Los_Angeles',
  'America/New_York',
  'America/Phoenix',
];

/**
 * Finds every zone that a person may be in, as sorted IANA names: by postcode, else by area code, else by country.
 *
 * `country` is the ISO 3166 code of the number. Numbers move with people, so a postcode that lies in one
 * zone outranks them. Where nothing is known, all clocks of the continental United States count. What the same
 * table row decides is the same array.
 */
export function zonesForPhone({
  e164,
  country,
  postcode,
}: {
  e164: string;
  country: string;
  postcode?: string | null | undefined;
}): readonly string[] {
  const isNorthAmerican = e164.startsWith('+1');
  return (
    (isNorthAmerican ? zonesOfPostcode(postcode ?? '') : undefined) ??
    (isNorthAmerican ? ZONES_BY_AREA_CODE.get(e164.slice(2, 5)) : undefined) ??
    ZONES_BY_COUNTRY.get(country.toUpperCase()) ??
    CONTINENTAL_US_ZONES
  );
}

const ZONES_BY_AREA_CODE = namesByKey(AREA_CODE_ZONES);
const ZONES_BY_ZIP_PREFIX = namesByKey(ZIP_PREFIX_ZONES);
const ZONES_BY_CANADIAN_PREFIX = namesByKey(CANADIAN_POSTCODE_ZONES);
const ZONES_BY_COUNTRY = namesByKey(COUNTRY_ZONES);

function zonesOfPostcode(postcode: string): readonly string[] | undefined {
  const text = postcode.trim().toUpperCase();
  const zip = zipPrefix(text);
  if (zip !== undefined) return ZONES_BY_ZIP_PREFIX.get(zip);
  const canadian = /^([A-Z]\d)[A-Z] ?\d[A-Z]\d$/.exec(text)?.[1];
  if (canadian === undefined) return undefined;
  return (
    ZONES_BY_CANADIAN_PREFIX.get(canadian) ?? ZONES_BY_CANADIAN_PREFIX.get(canadian.slice(0, 1))
  );
}
