import { csvLine } from './csv-safe.ts';
import { redactPhone } from './phone-number.ts';

/** A text as files show it: instants are ISO 8601, money is a whole number as text. */
export interface ExportedMessage {
  readonly id: string;
  readonly campaignId: string | null;
  readonly conversationId: string | null;
  readonly direction: 'outbound' | 'inbound';
  readonly purpose: string;
  /** The person's number. */
  readonly address: string;
  /** Our number. */
  readonly sender: string | null;
  readonly body: string;
  readonly segments: number | null;
  readonly state: string;
  readonly reason: string | null;
  readonly delivery: string;
  readonly errorCode: number | null;
  readonly providerMessageId: string | null;
  readonly createdAt: string;
  readonly dueAt: string | null;
  readonly acceptedAt: string | null;
  readonly finalAt: string | null;
  readonly priceMicros: string | null;
  readonly currency: string | null;
}

/** How a file is written. */
export interface ExportStyle {
  readonly format: 'csv' | 'ndjson';
  /** False: of people's numbers only the last digits. */
  readonly fullNumbers: boolean;
}

type Cell = string | number | null;

/** Every column: its name in CSV, its name in NDJSON, its value. */
const COLUMNS: readonly (readonly [string, string, (message: ExportedMessage) => Cell])[] = [
  ['id', 'id', (message) => message.id],
  ['campaign_id', 'campaignId', (message) => message.campaignId],
  ['conversation_id', 'conversationId', (message) => message.conversationId],
  ['direction', 'direction', (message) => message.direction],
  ['purpose', 'purpose', (message) => message.purpose],
  ['to', 'to', (message) => (isInbound(message) ? message.sender : message.address)],
  ['from', 'from', (message) => (isInbound(message) ? message.address : message.sender)],
  ['body', 'body', (message) => message.body],
  ['segments', 'segments', (message) => message.segments],
  ['state', 'state', (message) => message.state],
  ['reason', 'reason', (message) => message.reason],
  ['delivery', 'delivery', (message) => message.delivery],
  ['error_code', 'errorCode', (message) => message.errorCode],
  ['provider_message_id', 'providerMessageId', (message) => message.providerMessageId],
  ['created_at', 'createdAt', (message) => message.createdAt],
  ['due_at', 'dueAt', (message) => message.dueAt],
  ['accepted_at', 'acceptedAt', (message) => message.acceptedAt],
  ['final_at', 'finalAt', (message) => message.finalAt],
  ['price_micros', 'priceMicros', (message) => message.priceMicros],
  ['currency', 'currency', (message) => message.currency],
];

/** The columns of the CSV file, in order. */
export const EXPORT_COLUMNS: readonly string[] = COLUMNS.map(([name]) => name);

/** What a file begins with. */
export function exportHead(format: ExportStyle['format']): string {
  return format === 'csv' ? csvLine(EXPORT_COLUMNS) : '';
}

/** Writes a page of texts, a line each; a page written twice is the same to the byte. */
export function exportLines(messages: readonly ExportedMessage[], style: ExportStyle): string {
  const toLine = style.format === 'csv' ? toCsv : toJson;
  return messages
    .map((message) => toLine(style.fullNumbers ? message : withoutNumber(message)))
    .join('');
}

function toCsv(message: ExportedMessage): string {
  return csvLine(COLUMNS.map(([, , valueOf]) => valueOf(message)));
}

function toJson(message: ExportedMessage): string {
  const fields = COLUMNS.map(
    ([, name, valueOf]) => `"${name}":${JSON.stringify(valueOf(message))}`,
  );
  return `{${fields.join(',')}}\n`;
}

function withoutNumber(message: ExportedMessage): ExportedMessage {
  return { ...message, address: redactPhone(message.address) };
}

function isInbound(message: ExportedMessage): boolean {
  return message.direction === 'inbound';
}
