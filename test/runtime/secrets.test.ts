import { expect, test } from 'vitest';
import { createSecretBox } from '../../runtime/secrets.ts';

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
