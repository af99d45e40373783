import { describe, expect, test } from 'vitest';
import { createAccountLoader, resealAccounts } from '../../db/accounts.ts';
import { readOldKeys } from '../../runtime/config.ts';
import { createSecretBox } from '../../runtime/secrets.ts';
import { TEST_KEY, TEST_TOKEN, withLedger } from '../support/ledger.ts';

const ledger = withLedger();

const key = Buffer.alloc(32, 1).toString('base64');
const box = createSecretBox({ key, keyId: 'k1' });

test('a secret opens with the key that sealed it, and looks different each time', () => {
  const sealed = box.seal('token');
  expect(box.open(sealed, 'k1')).toBe('token');
  expect(box.seal('token').equals(sealed)).toBe(false);
});

test.each([
  [
    'another key',
    () =>
      createSecretBox({ key: Buffer.alloc(32, 2).toString('base64'), keyId: 'k1' }).open(
        box.seal('token'),
        'k1',
      ),
  ],
  [
    'the key under another name',
    () => createSecretBox({ key, keyId: 'k2' }).open(box.seal('token'), 'k1'),
  ],
  ['a changed byte', () => box.open(flipLastBit(box.seal('token')), 'k1')],
])('a secret does not open with %s', (_what, open) => {
  expect(open).toThrow(/authenticate|sealed with key/);
});

function flipLastBit(bytes: Buffer): Buffer {
  const last = bytes.length - 1;
  bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last);
  return bytes;
}

describe('a newer key', () => {
  const newer = createSecretBox({
    key: Buffer.alloc(32, 2).toString('base64'),
    keyId: 'k2',
    oldKeys: new Map([['k1', key]]),
  });

  test('opens what the older one sealed, and seals with itself', () => {
    expect(newer.open(box.seal('token'), 'k1')).toBe('token');
    expect(() => box.open(newer.seal('token'), 'k2')).toThrow(/KEY_ENCRYPTION_OLD_KEYS/);
  });

  test('seals the tokens of every account anew', async () => {
    const older = createSecretBox({ key: TEST_KEY, keyId: 'k1' });
    const rotated = createSecretBox({
      key: Buffer.alloc(32, 3).toString('base64'),
      keyId: 'k9',
      oldKeys: new Map([['k1', TEST_KEY]]),
    });
    const { database, accountId } = ledger();
    expect(await resealAccounts(database, rotated)).toBe(1);
    expect(await resealAccounts(database, rotated)).toBe(0);
    const load = (unseal: typeof rotated) =>
      createAccountLoader(database, (sealed, keyId) => unseal.open(sealed, keyId)).find(accountId);
    expect((await load(rotated))?.account.authTokens).toEqual([TEST_TOKEN]);
    await expect(load(older)).rejects.toThrow(/sealed with key k9/);
  });
});

test.each([
  ['', 0],
  [`k1:${key}`, 1],
  [`k1:${key}, k2:${key}`, 2],
  ['k1', null],
  ['k1:short', null],
  [`:${key}`, null],
])('old keys %j are %j', (text, n) => {
  expect(readOldKeys(text)?.size ?? null).toBe(n);
});
