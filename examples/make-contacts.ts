// Makes a contact list with the faults that real lists have. Names and addresses are invented; the numbers
// are only ever texted through a simulator.
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** The seed and size of the list that is kept beside this file. */
export const DEFAULT_SEED = 20_261_103;
export const DEFAULT_ROWS = 10_000;

/** Lists the columns of the list. */
export const CONTACTS_HEADER = [
  'Voter ID',
  'First Name',
  'Last Name',
  'Cell Phone',
  'Email',
  'ZIP',
  'City',
  'Notes',
  'Precinct',
  'Last Contacted',
  'Custom 1',
] as const;

/** How long a list is: so many rows, or as many as hold so many different people who can be texted. */
export type ListLength = { readonly rows: number } | { readonly people: number };

/** Makes a list as chunks of CSV, a byte order mark and the header first; the same seed gives the same bytes. */
export function* makeContacts({
  seed,
  ...length
}: ListLength & { seed: number }): Iterable<string> {
  yield `\uFEFF${csvLine(CONTACTS_HEADER)}`;
  const random = createRandom(seed);
  const recent: Person[] = [];
  const reached = new Set<number>();
  let people = 0;
  const isLongEnough = (row: number): boolean =>
    'rows' in length ? row >= length.rows : people >= length.people;
  for (let row = 0; !isLongEnough(row); row += 1) {
    const original = random() < 0.02 ? pick(random, recent) : undefined;
    const person = original ?? makePerson(random, row);
    if (original === undefined) recent[row % 500] = person;
    // The same person twice has another id and often another spelling of the number.
    const phone = original === undefined ? phoneCell(random, person) : spell(random, person.digits);
    // A repeat of somebody whose own row was spoilt may be the first row that can be read.
    if (canBeTexted(phone, person) && !reached.has(person.row)) {
      reached.add(person.row);
      people += 1;
    }
    yield csvLine([
      `V${String(10_000_000 + row * 7).padStart(9, '0')}`,
      person.firstName,
      person.lastName,
      phone,
      random() < 0.35 ? '' : `voter${person.row}@example.org`,
      random() < 0.04 ? '' : person.zip,
      person.city,
      notesCell(random),
      `${person.city.replace(/\W/g, '').slice(0, 3).toUpperCase()}-${1 + Math.floor(random() * 48)}`,
      '',
      '',
    ]);
  }
}

interface Person {
  readonly row: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly digits: string;
  readonly zip: string;
  readonly city: string;
}

type Random = () => number;

// Forty area codes: each with a city and the first three digits of a ZIP code there.
const PLACES = `
  212 New York|100 718 Brooklyn|112 516 Hempstead|115 617 Boston|021 215 Philadelphia|191 412 Pittsburgh|152
  404 Atlanta|303 407 Orlando|328 813 Tampa|336 704 Charlotte|282 919 Raleigh|276 313 Detroit|482
  614 Columbus|432 216 Cleveland|441 317 Indianapolis|462 804 Richmond|232 202 Washington|200
  312 Chicago|606 414 Milwaukee|532 612 Minneapolis|554 314 St. Louis|631 816 Kansas City|641
  214 Dallas|752 512 Austin|787 713 Houston|770 504 New Orleans|701 615 Nashville|372 405 Oklahoma City|731
  303 Denver|802 801 Salt Lake City|841 406 Billings|591 208 Boise|837 915 El Paso|799
  602 Phoenix|850 520 Tucson|857
  213 Los Angeles|900 415 San Francisco|941 916 Sacramento|958 206 Seattle|981 503 Portland|972
  702 Las Vegas|891 808 Honolulu|968`;

const AREAS = [...PLACES.matchAll(/(\d{3}) ([^|]+)\|(\d{3})/g)].map(([, code, city, zip]) => ({
  code: code ?? '',
  city: city ?? '',
  zip: zip ?? '',
}));

const FIRST_NAMES =
  'Ana Ben Carla David Elena Frank Grace Hassan Irene José Keisha Liam Mei Noah Olivia Paul Quinn Rosa Sam Tasha Umar Vera Will Ximena Yusuf Zoë'.split(
    ' ',
  );
const UNUSUAL_FIRST_NAMES = [
  'محمد',
  'שרה',
  'فاطمة',
  'Trần 🌻',
  'Łukasz',
  '小梅',
  'Renée "Ren"',
  ' Ana ',
  'DeShawn, Jr.',
];
const LAST_NAMES =
  "Abbott Brown Chen Diaz Evans Fischer Garcia Hughes Ito Johnson Kim Lopez Miller Nguyen O'Brien Patel Quiroz Robinson Smith-Jones Taylor Ueda Vargas Washington Xiong Young Zapata".split(
    ' ',
  );
const UNUSUAL_LAST_NAMES = [
  'الأحمد',
  'כהן',
  'Muñoz',
  'D’Angelo',
  'van der Berg',
  'Smith "Smitty"',
  '',
];

const SUBSCRIBERS = 10_000;
const EXCHANGES = 640;
// Coprime to the count of numbers, so that counting rows up meets each number once, far from its neighbour.
const STRIDE = 7_654_321;

function makePerson(random: Random, row: number): Person {
  const number = (row * STRIDE) % (AREAS.length * EXCHANGES * SUBSCRIBERS);
  const line = number % SUBSCRIBERS;
  const exchange = Math.floor(number / SUBSCRIBERS) % EXCHANGES;
  const area = AREAS[Math.floor(number / SUBSCRIBERS / EXCHANGES)] ?? {
    code: '',
    city: '',
    zip: '',
  };
  return {
    row,
    firstName: pick(random, random() < 0.04 ? UNUSUAL_FIRST_NAMES : FIRST_NAMES) ?? '',
    lastName: pick(random, random() < 0.04 ? UNUSUAL_LAST_NAMES : LAST_NAMES) ?? '',
    digits: `${area.code}${exchangeDigits(exchange)}${String(line).padStart(4, '0')}`,
    zip: `${area.zip}${String(1 + Math.floor(random() * 60)).padStart(2, '0')}`,
    city: area.city,
  };
}

// From 220, in eight hundreds of eighty: so none ends in 11, and none is 911.
function exchangeDigits(exchange: number): string {
  return String(200 + Math.floor(exchange / 80) * 100 + 20 + (exchange % 80));
}

// The share of rows with each fault; the rest have a number that can be texted.
const FAULTS: readonly (readonly [number, (random: Random, person: Person) => string])[] = [
  [0.01, () => ''],
  [0.005, (_, { digits }) => `${(Number(`1${digits}`) / 1e10).toFixed(5)}E+10`],
  [0.005, (random, { digits }) => twoNumbers(random, digits)],
  [0.005, (_, { digits }) => digits.slice(3)],
  [0.005, (_, { digits }) => `1${digits.slice(1)}`],
  [0.003, (_, { digits }) => `${digits}${digits.slice(0, 6)}`],
  [0.002, () => 'n/a'],
  [0.005, (_, { digits }) => `+44 20 7946 ${digits.slice(6)}`],
  [0.005, (_, { digits }) => `1-800-${digits.slice(3, 6)}-${digits.slice(6)}`],
];

function phoneCell(random: Random, person: Person): string {
  let left = random();
  for (const [share, spoil] of FAULTS) {
    left -= share;
    if (left < 0) return spoil(random, person);
  }
  return spell(random, person.digits);
}

/** Whether the cell is one of the spellings of the person's number, and not one of the faults. */
function canBeTexted(cell: string, { digits }: Person): boolean {
  const read = cell.replace(/ x\d+$/, '').replace(/\D/g, '');
  return !cell.includes('E+') && (read === digits || read === `1${digits}`);
}

function twoNumbers(random: Random, digits: string): string {
  const other = `${digits.slice(0, 6)}${String(1000 + Math.floor(random() * 9000))}`;
  return [spell(random, digits), spell(random, other)].join(
    pick(random, [' / ', ' or ', '\n', '; ']),
  );
}

function spell(random: Random, digits: string): string {
  const [area, exchange, line] = [digits.slice(0, 3), digits.slice(3, 6), digits.slice(6)];
  const spellings = [
    `(${area}) ${exchange}-${line}`,
    digits,
    `${area}-${exchange}-${line}`,
    `+1${digits}`,
    `1.${area}.${exchange}.${line}`,
    `${area} ${exchange} ${line} x${digits.slice(0, 2)}`,
  ];
  // The first three are what most lists hold.
  return pick(random, random() < 0.9 ? spellings.slice(0, 3) : spellings.slice(3)) ?? digits;
}

function notesCell(random: Random): string {
  if (random() < 0.85) return '';
  const notes = [
    'Met at the market, very friendly',
    'Said "call after 5"',
    'First line\nsecond line',
    'Speaks Spanish; prefers texts',
    'Windows line\r\nbreak, and a comma',
    'Dog 🐕 in the yard',
    '=SUM(A1:A9)',
    'يفضل الرسائل',
  ];
  return pick(random, notes) ?? '';
}

function csvLine(cells: readonly string[]): string {
  const quoted = cells.map((cell) =>
    /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell,
  );
  return `${quoted.join(',')}\r\n`;
}

// Mulberry32: small, fast, and the same on every machine.
function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<T>(random: Random, values: readonly T[]): T | undefined {
  return values[Math.floor(random() * values.length)];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: String(DEFAULT_ROWS) },
      seed: { type: 'string', default: String(DEFAULT_SEED) },
      out: { type: 'string', default: fileURLToPath(new URL('contacts.csv', import.meta.url)) },
    },
  });
  const [rows, seed] = [Number(values.rows), Number(values.seed)];
  if (!Number.isSafeInteger(rows) || rows < 0 || !Number.isSafeInteger(seed)) {
    throw new RangeError('--rows and --seed are whole numbers');
  }
  await pipeline(Readable.from(makeContacts({ rows, seed })), createWriteStream(values.out));
  process.stdout.write(`${rows} contacts written to ${values.out}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
