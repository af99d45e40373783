import type { Facts } from '../facts/facts.ts';
import { createFindings, type Verdict } from '../verdict.ts';

/** I5: nothing that the provider did not say has left a trace. */
export function judgeIntruders(facts: Facts): Verdict {
  const findings = createFindings('I5', 'nobody gets in: only the provider can write');
  const { clients, journal, ledger } = facts;
  for (const { forged, status, path } of clients.intruders) {
    findings.count(forged ? 'forged' : 'sent again');
    if (forged && status !== null && status < 400) {
      findings.violation(`a forged request to ${path} was answered ${status}`);
    }
  }
  const sids = new Map(journal.creates.map((create) => [create.sid, create.accountSid]));
  for (const message of ledger.messages.values()) {
    const pid = message.providerMessageId;
    if (pid === null) continue;
    if (message.direction === 'inbound') {
      if (!journal.inbound.has(pid)) findings.violation(`${message.id} stores a text nobody sent`);
      continue;
    }
    const accountSid = sids.get(pid);
    const own = ledger.accounts.get(message.accountId)?.accountSid;
    if (accountSid !== undefined && accountSid !== own) {
      findings.violation(`${message.id} is known by a text of another account`);
    }
  }
  for (const sid of ledger.inboundKeys) {
    if (!journal.inbound.has(sid)) findings.violation(`a key stands for ${sid}, which nobody sent`);
  }
  // What a tenant signs about texts that are not its own is its own affair, as long as it stays there.
  for (const { accountId, sid } of journal.creates) {
    if (accountId === null || sid === null) continue;
    judgeEvents(facts, findings, [sid, ledger.events.get(`${accountId} ${sid}`) ?? []]);
  }
  const { rows, rule, examples } = ledger.foreignEvents;
  if (rows > 0) findings.violation(`${rule}: ${examples.join(', ')}`, rows);
  return findings.verdict();
}

function judgeEvents(
  { journal }: Facts,
  findings: ReturnType<typeof createFindings>,
  [sid, statuses]: readonly [string, readonly string[]],
): void {
  const said = [...(journal.reports.get(sid)?.ever.keys() ?? [])].map(ourWord);
  for (const status of statuses) {
    if (!said.includes(status)) findings.violation(`${sid} was never reported ${status}`);
  }
}

/** The ledger knows no difference between what waits at the provider. */
function ourWord(status: string): string {
  return status === 'accepted' || status === 'scheduled' ? 'queued' : status;
}
