// When telemarketing texts may be sent, by law, dated, with a source each. Compiled in November 2025 to 2026 from the
// federal rule and from published state-by-state compilations; the statutes named are where those compilations point.
// This is engineering input and no legal advice: confirm the rows with counsel, and change them here.

/** One law's hours in one place. */
export interface HoursRuleRow {
  /** `US` for every state, else `US-` and the state. */
  readonly place: string;
  /** `HH:MM-HH:MM` by the clock where the person is, by days of the week (ISO, 1 is Monday). */
  readonly hours: Readonly<Record<string, string>>;
  /** Whether public holidays of the federal government are left out too. */
  readonly noHolidays: boolean;
  /** The first day on which it holds. YYYY-MM-DD. */
  readonly from: string;
  /** The last day on which it holds; null: still. */
  readonly until: string | null;
  readonly source: string;
}

const EVERY_DAY = '1234567';
const compiled = 'as compiled state by state by third parties in 2025 and 2026; confirm';

function row(
  place: string,
  hours: HoursRuleRow['hours'],
  rest: { from: string; source: string; noHolidays?: boolean },
): HoursRuleRow {
  return { place, hours, noHolidays: false, until: null, ...rest };
}

/** The laws, federal first. */
export const HOURS_RULES: readonly HoursRuleRow[] = [
  row('US', { [EVERY_DAY]: '08:00-21:00' }, { from: '1992-12-20', source: '47 CFR 64.1200(c)(1)' }),
  row(
    'US-AL',
    { '123456': '08:00-20:00' },
    { from: '2000-01-01', noHolidays: true, source: `Ala. Code 8-19C, ${compiled}` },
  ),
  row(
    'US-CT',
    { [EVERY_DAY]: '09:00-20:00' },
    { from: '2023-10-01', source: `Conn. Gen. Stat. 42-288a, ${compiled}` },
  ),
  row(
    'US-FL',
    { [EVERY_DAY]: '08:00-20:00' },
    { from: '2021-07-01', source: `Fla. Stat. 501.616(6), ${compiled}` },
  ),
  row(
    'US-KY',
    { [EVERY_DAY]: '10:00-21:00' },
    { from: '2002-07-15', source: `Ky. Rev. Stat. 367.46955, ${compiled}` },
  ),
  row(
    'US-LA',
    { '123456': '08:00-20:00' },
    { from: '2001-01-01', noHolidays: true, source: `La. Rev. Stat. 45:844, ${compiled}` },
  ),
  row(
    'US-MA',
    { [EVERY_DAY]: '08:00-20:00' },
    { from: '2003-01-01', source: `201 CMR 12.04, ${compiled}` },
  ),
  row(
    'US-MD',
    { [EVERY_DAY]: '08:00-20:00' },
    { from: '2024-01-01', source: `Md. Com. Law 14-4504, ${compiled}` },
  ),
  row(
    'US-ME',
    { '12345': '09:00-17:00' },
    { from: '2000-01-01', source: `Me. Rev. Stat. 10-1498 (automated calls), ${compiled}` },
  ),
  row(
    'US-MI',
    { [EVERY_DAY]: '09:00-21:00' },
    { from: '2003-03-28', source: `Mich. Comp. Laws 445.111 ff., ${compiled}` },
  ),
  row(
    'US-MN',
    { [EVERY_DAY]: '09:00-21:00' },
    { from: '1987-08-01', source: `Minn. Stat. 325E.30, ${compiled}` },
  ),
  row(
    'US-MS',
    { '123456': '08:00-20:00' },
    { from: '2003-07-01', source: `Miss. Code 77-3-723, ${compiled}` },
  ),
  row(
    'US-NJ',
    { [EVERY_DAY]: '08:00-20:00' },
    { from: '2026-01-01', source: `reported for New Jersey, ${compiled}` },
  ),
  row(
    'US-NM',
    { [EVERY_DAY]: '09:00-21:00' },
    { from: '2003-07-01', source: `N.M. Stat. 57-12-22, ${compiled}` },
  ),
  row(
    'US-NV',
    { [EVERY_DAY]: '09:00-20:00' },
    { from: '2003-10-01', source: `Nev. Rev. Stat. 599B, ${compiled}` },
  ),
  row(
    'US-OK',
    { [EVERY_DAY]: '08:00-20:00' },
    { from: '2022-11-01', source: `15 Okla. Stat. 775C, ${compiled}` },
  ),
  row(
    'US-PA',
    { '123456': '08:00-21:00' },
    { from: '2026-10-18', source: `reported ban of Sundays in Pennsylvania, ${compiled}` },
  ),
  row(
    'US-RI',
    { '12345': '09:00-18:00', '67': '10:00-17:00' },
    { from: '2000-01-01', source: `R.I. Gen. Laws 5-61-3.6, ${compiled}` },
  ),
  row(
    'US-TX',
    { '123456': '09:00-21:00', '7': '12:00-21:00' },
    {
      from: '2025-09-01',
      source: `Tex. Bus. & Com. Code 301 and 302 with SB 140 (2025), ${compiled}`,
    },
  ),
  row(
    'US-WA',
    { [EVERY_DAY]: '08:00-20:00' },
    { from: '2022-06-09', source: `Wash. Rev. Code 80.36.390, ${compiled}` },
  ),
  row(
    'US-WY',
    { [EVERY_DAY]: '08:00-20:00' },
    { from: '2026-10-18', source: `reported for Wyoming, ${compiled}` },
  ),
];
