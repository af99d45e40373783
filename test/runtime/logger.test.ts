import { expect, test } from 'vitest';
import { redactPhones } from '../../runtime/logger.ts';

test.each([
  ['{"to":"+12125550123"}', '{"to":"…0123"}'],
  ['GET /v1/contacts?address=%2B447911123456', 'GET /v1/contacts?address=…3456'],
  [
    '{"id":"01a2107c-2976-88a9-9dd4-ec155106e51c"}',
    '{"id":"01a2107c-2976-88a9-9dd4-ec155106e51c"}',
  ],
  [
    '{"time":"2026-11-25T02:16:22.000Z","ms":1795572982000}',
    '{"time":"2026-11-25T02:16:22.000Z","ms":1795572982000}',
  ],
  ['from +12125550123 to +442079460958', 'from …0123 to …0958'],
])('a log line %s is written as %s', (line, written) => {
  expect(redactPhones(line)).toBe(written);
});
