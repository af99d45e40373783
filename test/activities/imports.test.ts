import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createImportActivities, importFile } from '../../activities/imports.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { createActivityDeps, createScriptedProvider } from '../support/activity-deps.ts';
import { uploadFile, type TestImport } from '../support/import-files.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();
let apiDatabase: Database;
beforeAll(() => {
  apiDatabase = createDatabase({ url: ledger().urls.apiUrl, applicationName: 'test', poolSize: 2 });
});
afterAll(async () => apiDatabase.close());

/** Uploads a file into a list of its own, as the API does. */
function upload(content: string | Buffer): Promise<TestImport> {
  return uploadFile(ledger(), apiDatabase, content);
}

function run(
  { id }: TestImport,
  database: Database = ledger().database,
): Promise<{ state: string; rows: number }> {
  const deps = {
    ...createActivityDeps(ledger(), createScriptedProvider()),
    database,
    importApart: (importId: string) => importFile(database, importId),
  };
  const { runImport } = createImportActivities(deps);
  // A worker that is killed on purpose is no news.
  const logger = new DefaultLogger('ERROR');
  return new MockActivityEnvironment({}, { logger }).run(runImport, { importId: id });
}

async function view({ id }: TestImport): Promise<unknown> {
  const [row] = await ledger().database.query(
    'select state::text as state, problem, problem_row as row from import where id = $1::uuid',
    id,
  );
  return row;
}

/** What became of each row: `accepted`, or why not. More than one entry a row would be an error. */
async function verdicts({ id }: TestImport): Promise<[row: number, verdict: string][]> {
  const rows = await ledger().database.query<{ row_no: number; verdict: string }>(
    `select row_no, 'accepted' as verdict from contact_list_member where import_id = $1::uuid
     union all select row_no, reason || ' ' || coalesce(duplicate_of::text, '') from import_reject where import_id = $1::uuid order by 1, 2`,
    id,
  );
  return rows.map(({ row_no, verdict }) => [row_no, verdict]);
}

const numbers = (length: number): number[] => Array.from({ length }, (_, index) => index + 1);

/** Rows of which one in seven is a repetition, one in eleven no number, one in thirteen blank. */
function dirtyFile(rows: number, area: string): string {
  const lines = numbers(rows).map((row) => {
    const subscriber = String(2_000_000 + (row % 7 === 0 ? row - 3 : row));
    const phone =
      row % 11 === 0
        ? 'call me'
        : row % 13 === 0
          ? ''
          : `(${area}) ${subscriber.slice(0, 3)}-${subscriber.slice(3)}`;
    return `${phone},"Ada ""A"" ${row}",${row}`;
  });
  return `\uFEFFPhone,First Name,Voter ID\r\n${lines.join('\r\n')}\r\n`;
}

const WRITES_A_CHUNK = /cursor_row = \$2::int and state/;

/** The same database, in which something happens around the n-th chunk's write. */
function aroundChunk(
  n: number,
  around: (write: () => Promise<unknown[]>) => Promise<unknown[]>,
): Database {
  const { database } = ledger();
  let written = 0;
  return {
    ...database,
    query: async <Row>(sql: string, ...parameters: readonly unknown[]): Promise<Row[]> => {
      const write = (): Promise<Row[]> => database.query<Row>(sql, ...parameters);
      if (!WRITES_A_CHUNK.test(sql)) return write();
      written += 1;
      return written === n ? ((await around(write)) as Row[]) : write();
    },
  };
}

class KilledError extends Error {}

describe('an import', () => {
  const ROWS = 12_000;

  test('gives every row of its file exactly one verdict', async () => {
    const file = await upload(dirtyFile(ROWS, '212'));
    expect(await run(file)).toEqual({ state: 'finished', rows: ROWS });
    const decided = await verdicts(file);
    expect(decided.map(([row]) => row)).toEqual(numbers(ROWS));
    const reasons = new Map(decided);
    expect(reasons.get(1)).toBe('accepted');
    expect(reasons.get(7)).toBe('duplicate 4');
    expect(reasons.get(11)).toMatch(/^not-a-number/);
    expect(await view(file)).toEqual({ state: 'finished', problem: null, row: null });
    const members = decided.filter(([, verdict]) => verdict === 'accepted').length;
    expect(await ledger().count('contact_list_member where list_id = $1::uuid', file.listId)).toBe(
      members,
    );
  });

  test('writes chunks that no plan of an emptier database outlives', async () => {
    const { urls } = ledger();
    const database = createDatabase({ url: urls.engineUrl, applicationName: 'test', poolSize: 1 });
    try {
      await run(await upload(dirtyFile(10, '919')), database);
      const prepared = await database.query<{ statement: string }>(
        'select statement from pg_prepared_statements',
      );
      expect(prepared).not.toEqual([]);
      expect(prepared.filter(({ statement }) => WRITES_A_CHUNK.test(statement))).toEqual([]);
    } finally {
      await database.close();
    }
  });

  test('that is run again after its end changes nothing', async () => {
    const file = await upload(dirtyFile(50, '303'));
    await run(file);
    const before = await verdicts(file);
    expect(await run(file)).toEqual({ state: 'finished', rows: 50 });
    expect(await verdicts(file)).toEqual(before);
  });

  test.each([
    [
      'after its second chunk was committed',
      async (write: () => Promise<unknown[]>) => {
        await write();
        throw new KilledError();
      },
    ],
    [
      'before its second chunk was written',
      async () => {
        throw new KilledError();
      },
    ],
  ])('whose worker is killed %s decides no row twice and misses none', async (_, around) => {
    const content = dirtyFile(ROWS, '404');
    const [killed, whole] = [await upload(content), await upload(content)];
    await expect(run(killed, aroundChunk(2, around))).rejects.toBeInstanceOf(KilledError);
    expect(await view(killed)).toMatchObject({ state: 'running' });
    expect(await run(killed)).toEqual({ state: 'finished', rows: ROWS });
    await run(whole);
    const decided = await verdicts(killed);
    expect(decided.map(([row]) => row)).toEqual(numbers(ROWS));
    expect(decided).toEqual(await verdicts(whole));
  });

  test('whose worker was believed dead and goes on beside its successor decides no row twice', async () => {
    const file = await upload(dirtyFile(ROWS, '503'));
    const results = await Promise.allSettled([run(file), run(file), run(file)]);
    expect(results).toContainEqual({
      status: 'fulfilled',
      value: { state: 'finished', rows: ROWS },
    });
    expect((await verdicts(file)).map(([row]) => row)).toEqual(numbers(ROWS));
    expect(await view(file)).toEqual({ state: 'finished', problem: null, row: null });
  });

  test('is not ended by a worker whose chunk is still being written by another', async () => {
    const file = await upload(dirtyFile(ROWS, '505'));
    const overtaken = aroundChunk(3, () => Promise.resolve([{ outcome: 'overtaken' }]));
    await expect(run(file, overtaken)).rejects.toThrow(/another worker/);
    expect(await view(file)).toMatchObject({ state: 'running' });
    expect(await run(file)).toEqual({ state: 'finished', rows: ROWS });
    expect((await verdicts(file)).map(([row]) => row)).toEqual(numbers(ROWS));
  });

  test('that is cancelled stops after the chunk at hand, and stays so', async () => {
    const file = await upload(dirtyFile(ROWS, '602'));
    const cancelling = aroundChunk(2, async (write) => {
      const result = await write();
      await ledger().database.query(
        'update import set cancel_requested = true where id = $1::uuid returning 1 as done',
        file.id,
      );
      return result;
    });
    expect(await run(file, cancelling)).toEqual({ state: 'cancelled', rows: 10_000 });
    expect(await run(file)).toEqual({ state: 'cancelled', rows: 10_000 });
    expect((await verdicts(file)).map(([row]) => row)).toEqual(numbers(10_000));
  });

  test('reads names in any alphabet, also across the borders of its chunks', async () => {
    const long = 'Ünïcode 名前 '.repeat(3_000);
    const rows = numbers(20).map(
      (row) => `+1702200${String(row).padStart(4, '0')},名前${row},"${long}"`,
    );
    const file = await upload(`phone,first name,notes\n${rows.join('\n')}`);
    expect(await run(file)).toEqual({ state: 'finished', rows: 20 });
    const [contact] = await ledger().database.query<{ first_name: string; notes: string }>(
      `select first_name, fields->>'notes' as notes from contact where e164 = '+17022000019'`,
    );
    expect(contact).toEqual({ first_name: '名前19', notes: long.trim() });
  });
});

describe('a file with odd cells', () => {
  test('is imported with NUL characters in every kind of cell', async () => {
    const rows = [
      '+17022100001,A\u0000da,V\u00001,n\u0000ote',
      '\u0000+1702\u00002100002,Bo,V2,',
      'call\u0000me,Cy,V3,',
    ];
    const file = await upload(`phone,first name,voter id,no\u0000tes\n${rows.join('\n')}\n`);
    expect(await run(file)).toEqual({ state: 'finished', rows: 3 });
    expect((await verdicts(file)).map(([row]) => row)).toEqual([1, 2, 3]);
  });

  test('is imported with unit separators in every kind of cell, each value in its own column', async () => {
    const rows = [
      '+17022100011,A\u001Fda,\u001F,\u001FU1,n\u001Fote',
      '\u001F,Bo,,U2,',
      '+17022100012,Cy,Ng,U\u001F1,',
    ];
    const file = await upload(`phone,first name,last name,voter id,notes\n${rows.join('\n')}\n`);
    expect(await run(file)).toEqual({ state: 'finished', rows: 3 });
    const contacts = await ledger().database.query(
      `select first_name, last_name, external_id, fields from contact where e164 in ('+17022100011', '+17022100012') order by e164`,
    );
    expect(contacts).toEqual([
      { first_name: 'Ada', last_name: '', external_id: 'U1', fields: { notes: 'note' } },
      { first_name: 'Cy', last_name: 'Ng', external_id: null, fields: {} },
    ]);
  });

  test('is imported where its only person has nothing but a number', async () => {
    const file = await upload('phone,first name,voter id,zip,notes\n+17022100013,,,,\n');
    expect(await run(file)).toEqual({ state: 'finished', rows: 1 });
    const [contact] = await ledger().database.query(
      `select first_name, last_name, external_id, postcode, fields from contact where e164 = '+17022100013'`,
    );
    expect(contact).toEqual({
      first_name: '',
      last_name: '',
      external_id: null,
      postcode: null,
      fields: {},
    });
  });

  test('is imported with an id that is longer than an index can hold', async () => {
    const long = Array.from({ length: 1_000 }, () => newId()).join('');
    const file = await upload(`phone,voter id\n+17022100003,${long}\n+17022100004,V5\n`);
    expect(await run(file)).toEqual({ state: 'finished', rows: 2 });
  });
});

describe('a file that cannot be imported', () => {
  const good = numbers(60).map((row) => `+1801200${String(row).padStart(4, '0')},Ada`);
  const after = (...lines: string[]): string => ['phone,name', ...good, ...lines].join('\n');

  test.each<[string, string | Buffer, RegExp, number | null]>([
    ['with a quote that never closes', after('+18012009999,"Ada', '+18012009998,Bo'), /quote/, 61],
    [
      'with a ragged row',
      after('+18012009999,Ada,extra', '+18012009998,Bo'),
      /Row 61 has 3 cells, the header has 2/,
      61,
    ],
    [
      'with a cell of 5 MB',
      after(`+18012009999,${'x'.repeat(5_000_000)}`),
      /Row 61 is longer than/,
      61,
    ],
    [
      'with 10,000 columns',
      `phone,${numbers(10_000)
        .map((n) => `c${n}`)
        .join(',')}\n`,
      /10001 columns; at most 500/,
      1,
    ],
    ['without a column of numbers', 'name,city\nAda,London\n', /phone/, 1],
    ['with a header only', 'phone,name\n', /no rows/, 1],
    ['with nothing but blank lines', '\n\n\n', /empty/, null],
    [
      'in another encoding',
      Buffer.from(after('+18012009999,José'), 'latin1'),
      /Row 61 is not UTF-8/,
      61,
    ],
  ])('%s fails with a message and the row', async (_, content, problem, row) => {
    const file = await upload(content);
    expect(await run(file)).toMatchObject({ state: 'failed' });
    expect(await view(file)).toEqual({
      state: 'failed',
      problem: expect.stringMatching(problem),
      row,
    });
    // It has failed for good.
    expect(await run(file)).toMatchObject({ state: 'failed' });
  });

  test('because of a cell of 5 MB is not read to its end', async () => {
    const file = await upload(`phone,name\n+18012008888,"${'x'.repeat(5_000_000)}"\n`);
    let pieces = 0;
    const counting: Database = {
      ...ledger().database,
      query: (sql, ...parameters) => {
        if (sql.includes('blob_chunk')) pieces += 1;
        return ledger().database.query(sql, ...parameters);
      },
    };
    expect(await run(file, counting)).toEqual({ state: 'failed', rows: 0 });
    // The header is one read; the row is given up within its first megabyte.
    expect(pieces).toBeLessThanOrEqual(5);
  });
});
