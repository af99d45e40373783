import type { SimulatorParts } from './carrier.ts';
import type { SimulatedText } from './messages.ts';
import { chance } from './random.ts';
import { statusParams } from './webhook-fields.ts';

/** Creates the delivery reports. */
export function createReports(deps: SimulatorParts) {
  const { due, journal, accounts, faults, webhooks } = deps;

  /** Posts the text's present status to its callback URL. */
  function send(text: SimulatedText): void {
    const account = accounts.get(text.accountSid);
    const { statusCallback, sid, status } = text;
    if (statusCallback === null || account === undefined) return;
    const post = (): void =>
      webhooks.send({
        kind: 'callback',
        url: statusCallback,
        fallbackUrl: null,
        authToken: account.authToken,
        params,
        sid,
        status,
      });
    const params = statusParams(text);
    const fault = faults.take('callback', text);
    if (fault?.fault === 'drop-callbacks') {
      journal.append('callback', { sid, status, answer: null, fault: fault.fault, isDone: true });
      return;
    }
    const delayMs =
      fault?.fault === 'shuffle-callbacks'
        ? fault.delayMs * chance(deps.seed, 'shuffle', status, text.to, text.ordinal)
        : (fault?.delayMs ?? 0);
    if (fault?.fault === 'duplicate-callbacks') post();
    if (fault === null || fault.fault === 'duplicate-callbacks') post();
    else due.at(Date.now() + delayMs, post);
  }

  return { send };
}
export type Reports = ReturnType<typeof createReports>;
