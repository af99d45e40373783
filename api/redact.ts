import type { Caller } from '../db/api-keys.ts';
import { redactPhone } from '../domain/phone-number.ts';
import { hasScope } from './context.ts';

const PHONE = /\+[1-9]\d{6,14}/g;

/** Shows people's numbers in full to admin keys only. */
export function redactorFor(
  caller: Caller,
): <Row extends { readonly address: string }>(row: Row) => Row {
  if (hasScope(caller, 'admin')) return (row) => row;
  return (row) => ({ ...row, address: redactPhone(row.address) });
}

/** What the provider said about a text, without numbers unless the key is an admin's. */
export function redactDetail(caller: Caller, detail: unknown): Record<string, unknown> {
  const json = JSON.stringify(detail ?? {});
  const text = hasScope(caller, 'admin') ? json : json.replace(PHONE, redactPhone);
  return JSON.parse(text) as Record<string, unknown>;
}
