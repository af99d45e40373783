import type { ApiCallFact, ClientFacts, IntruderFact } from './facts.ts';
import { instant, numberOrNull, readLines, text, textOrNull } from './lines.ts';

/** Reads what the clients asked for and were answered, up to an instant; no file means no clients. */
export async function readClients(file: string | null, untilMs: number): Promise<ClientFacts> {
  const calls: ApiCallFact[] = [];
  const intruders: IntruderFact[] = [];
  if (file === null) return { calls, intruders, unreadable: 0 };
  const unreadable = await readLines(file, (line) => {
    const kind = text(line, 'kind');
    if (instant(line, 'at') > untilMs) return;
    if (kind === 'api') {
      calls.push({
        sentAtMs: instant(line, 'sentAt'),
        atMs: instant(line, 'at'),
        status: numberOrNull(line, 'status'),
        action: textOrNull(line, 'action'),
        campaignId: textOrNull(line, 'campaignId'),
        address: textOrNull(line, 'address'),
        orgId: textOrNull(line, 'orgId'),
        idempotencyKey: textOrNull(line, 'idempotencyKey'),
      });
    } else if (kind === 'webhook') {
      intruders.push({
        path: text(line, 'path'),
        status: numberOrNull(line, 'status'),
        sid: text(line, 'sid'),
        forged: line['forged'] === true,
      });
    }
  });
  calls.sort((a, b) => a.sentAtMs - b.sentAtMs);
  return { calls, intruders, unreadable };
}
