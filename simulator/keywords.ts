export type Keyword = 'STOP' | 'START' | 'HELP';

const KEYWORDS: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ...['STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT'].map(
    (word) => [word, 'STOP'] as const,
  ),
  ...['START', 'YES', 'UNSTOP'].map((word) => [word, 'START'] as const),
  ...['HELP', 'INFO'].map((word) => [word, 'HELP'] as const),
]);

/** Reads Twilio's default keywords, which must be the whole text. */
export function readKeyword(body: string): Keyword | null {
  return KEYWORDS.get(body.trim().toUpperCase()) ?? null;
}

/** Creates the list of people who sent a stop word to a number of an account. */
export function createOptOuts() {
  const blocked = new Set<string>();

  function apply(event: {
    accountSid: string;
    number: string;
    person: string;
    keyword: Keyword | null;
  }): void {
    const key = `${event.accountSid}|${event.number}|${event.person}`;
    if (event.keyword === 'STOP') blocked.add(key);
    if (event.keyword === 'START') blocked.delete(key);
  }

  return {
    apply,
    has: (accountSid: string, number: string, person: string) =>
      blocked.has(`${accountSid}|${number}|${person}`),
    clear: () => blocked.clear(),
    size: () => blocked.size,
  };
}
export type OptOuts = ReturnType<typeof createOptOuts>;
