import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What the demo was asked for. */
export interface DemoArgs {
  /** Null when `size` contacts are to be made. */
  readonly contacts: string | null;
  readonly size: number | null;
  /** Segments a second of the whole pool. */
  readonly rate: number;
  readonly keep: boolean;
  readonly exit: boolean;
  readonly help: boolean;
}

export const DEMO_HELP = `npm run demo -- [options]

Starts everything on this machine, imports contacts, launches a campaign against simulated people
and shows how it goes. No text leaves the machine.

  --contacts FILE   a CSV file (default: examples/contacts.csv, 10,000 people)
  --size N          makes a list of N people who can be texted, with the faults that real lists have
  --rate N          segments a second of all senders together (default: 200)
  --keep            stays up after the report
  --exit            for scripts: no colours, ends after the report; exit code 0 only if the sums agree
  --help            this text
`;

const DEFAULT_RATE = 200;
const MAX_RATE = 2_000;
const MAX_SIZE = 5_000_000;

/** Reads the arguments; throws one error that names every wrong one. File names are relative to `from`. */
export function parseDemoArgs(args: readonly string[], from: string): DemoArgs {
  const { values } = parseArgs({
    args: [...args],
    options: {
      contacts: { type: 'string' },
      size: { type: 'string' },
      rate: { type: 'string' },
      keep: { type: 'boolean', default: false },
      exit: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const problems: string[] = [];
  const size = readNumber(values.size, MAX_SIZE);
  const rate = readNumber(values.rate, MAX_RATE);
  if (size === undefined) problems.push(`--size must be a whole number from 1 to ${MAX_SIZE}`);
  if (rate === undefined) problems.push(`--rate must be a whole number from 1 to ${MAX_RATE}`);
  if (values.contacts !== undefined && values.size !== undefined) {
    problems.push('give --contacts or --size, not both');
  }
  if (values.keep && values.exit) problems.push('give --keep or --exit, not both');
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return {
    contacts: values.contacts === undefined ? null : resolve(from, values.contacts),
    size: size ?? null,
    rate: rate ?? DEFAULT_RATE,
    keep: values.keep,
    exit: values.exit,
    help: values.help,
  };
}

/** Null when nothing was given, undefined when it is wrong. */
function readNumber(text: string | undefined, most: number): number | null | undefined {
  if (text === undefined) return null;
  const number = Number(text);
  return /^\d+$/.test(text) && number >= 1 && number <= most ? number : undefined;
}
