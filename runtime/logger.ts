import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** E.164, plain or percent-encoded; the last four digits stay. */
const PHONE = /(?:\+|%2B)[1-9]\d{2,10}(\d{4})\b/g;
const REDACTED_KEYS = [
  'authorization',
  'authToken',
  'auth_token',
  'password',
  'secret',
  'signature',
  '*.authorization',
  '*.authToken',
  '*.password',
  '*.signature',
];

/** Structured logs, one JSON line each, without secrets and with phone numbers cut to four digits. */
export function createLogger(options: {
  readonly level: string;
  readonly process: string;
}): Logger {
  return pino({
    level: options.level,
    base: { process: options.process },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: REDACTED_KEYS, censor: '[redacted]' },
    hooks: { streamWrite: redactPhones },
  });
}

export function redactPhones(line: string): string {
  return line.replace(PHONE, '…$1');
}
