import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { describe, expect, test } from 'vitest';
import { AREA_CODE_ZONES } from '../../domain/data/area-code-zones.ts';
import { COUNTRY_ZONES } from '../../domain/data/country-zones.ts';
import { CANADIAN_POSTCODE_ZONES, ZIP_PREFIX_ZONES } from '../../domain/data/postcode-zones.ts';
import { CONTINENTAL_US_ZONES, zonesForPhone } from '../../domain/texting-hours.ts';

describe('the zones of a number', () => {
  test.each([
    ['+12125550123', 'US', null, ['America/New_York']],
    ['+16025550123', 'US', undefined, ['America/Phoenix']],
    ['+19075550123', 'US', '', ['America/Adak', 'America/Anchorage']],
    ['+12085550123', 'US', null, ['America/Denver', 'America/Los_Angeles']],
    ['+18125550123', 'US', null, ['America/Chicago', 'America/New_York']],
    ['+12125550123', 'US', '94105', ['America/Los_Angeles']],
    ['+12085550123', 'US', '83702-1234', ['America/Denver']],
    ['+12125550123', 'US', '32401', ['America/New_York']],
    ['+12125550123', 'US', 'M5V 2T6', ['America/Toronto']],
    ['+13065550123', 'CA', null, ['America/Edmonton', 'America/Regina']],
    ['+16045550123', 'CA', 'v6b1a1', ['America/Vancouver']],
    ['+17095550123', 'CA', null, ['America/Halifax', 'America/St_Johns']],
    ['+18765550123', 'JM', null, ['America/Jamaica']],
    ['+442079460018', 'GB', '94105', ['Europe/London']],
    ['+254712123456', 'ke', null, ['Africa/Nairobi']],
    ['+351912345678', 'PT', null, ['Atlantic/Azores', 'Europe/Lisbon']],
    ['+870123456789', '001', null, CONTINENTAL_US_ZONES],
    ['+15215550123', 'XX', null, CONTINENTAL_US_ZONES],
  ])('%s in %s with postcode %s are %o', (e164, country, postcode, zones) => {
    expect(zonesForPhone({ e164, country, postcode })).toEqual(zones);
  });

  test('are known for every geographic area code of the United States and Canada', () => {
    const known = new Set(Object.values(AREA_CODE_ZONES).join(' ').trim().split(/\s+/));
    const missing = Array.from({ length: 800 }, (_, index) => String(200 + index)).filter(
      (area) => {
        const phone = parsePhoneNumberFromString(`+1${area}2345678`);
        const counts = phone?.country === 'US' || phone?.country === 'CA';
        return counts && phone.getType() === 'FIXED_LINE_OR_MOBILE' && !known.has(area);
      },
    );
    expect(missing).toEqual([]);
  });
});

test('every zone of the tables is an IANA zone, and no entry stands twice in it', () => {
  const tables = [AREA_CODE_ZONES, COUNTRY_ZONES, ZIP_PREFIX_ZONES, CANADIAN_POSTCODE_ZONES];
  for (const [zone, list] of tables.flatMap((table) => Object.entries(table))) {
    expect(() => new Intl.DateTimeFormat('en', { timeZone: zone })).not.toThrow();
    const entries = list.trim().split(/\s+/);
    expect({
      zone,
      twice: entries.filter((entry, index) => entries.indexOf(entry) !== index),
    }).toEqual({ zone, twice: [] });
  }
});
