import { describe, expect, test } from 'vitest';
import { withTestApi } from './support.ts';

const api = withTestApi();
const read = (path: string) => api().send(`GET ${path}`, { key: api().a.read });
interface Page {
  readonly items: readonly { readonly id: string; readonly name: string }[];
  readonly nextCursor: string | null;
}

describe('a list', () => {
  test('is read page by page, newest first, nothing twice and nothing left out', async () => {
    for (let n = 0; n < 7; n += 1) {
      await api().send('POST /v1/contact-lists', { key: api().a.write, body: { name: `L${n}` } });
    }
    // Rows of one instant are told apart by their id.
    await api().engine.query(
      'update contact_list set created_at = $1::timestamptz returning 1',
      '2026-01-01T00:00:00Z',
    );
    const seen: string[] = [];
    let cursor: string | null = '';
    let pages = 0;
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = (await read(`/v1/contact-lists?limit=3${query}`)).body as unknown as Page;
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor;
      pages += 1;
    }
    expect(pages).toBe(3);
    const rows = await api().engine.query<{ name: string }>(
      'select name from contact_list order by id desc',
    );
    expect(seen).toEqual(rows.map(({ name }) => name));
    expect(seen.toSorted()).toEqual(['L0', 'L1', 'L2', 'L3', 'L4', 'L5', 'L6']);
  });

  test('that fits one page has no next one', async () => {
    expect((await read('/v1/contact-lists?limit=7')).body['nextCursor']).toBeNull();
    expect((await read('/v1/sender-pools')).body).toEqual({ items: [], nextCursor: null });
  });

  test.each(['0', '201', 'many', '1.5'])('refuses the limit %s', async (limit) => {
    const answer = await read(`/v1/contact-lists?limit=${limit}`);
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid-request']);
  });

  test.each([
    'nonsense',
    Buffer.from('[]').toString('base64url'),
    Buffer.from('["2026","x"]').toString('base64url'),
    Buffer.from('[1,2,3]').toString('base64url'),
  ])('refuses the cursor %s', async (cursor) => {
    for (const path of ['/v1/contact-lists', '/v1/messages', '/v1/suppressions', '/v1/campaigns']) {
      const answer = await read(`${path}?cursor=${cursor}`);
      expect([path, answer.status, answer.body['code']]).toEqual([path, 400, 'invalid-cursor']);
    }
  });
});
