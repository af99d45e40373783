/** Benchmarks: `npm run bench -- send --seconds 60`. What each figure means stands in README.md beside this file. */
import { parseArgs } from 'node:util';
import { claim } from './claim.ts';
import { exports } from './exports.ts';
import { createReporter, describeMachine, toTable } from './figure.ts';
import { imports } from './imports.ts';
import { mixed } from './mixed.ts';
import { plan } from './plan.ts';
import { pools } from './pools.ts';
import type { BenchOptions, Scenario } from './scenario.ts';
import { send } from './send.ts';
import { webhooks } from './webhooks.ts';
import { workflows } from './workflows.ts';

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  send,
  mixed,
  webhooks,
  import: imports,
  export: exports,
  plan,
  claim,
  pools,
  workflows,
};
const HELP = [
  'npm run bench -- <scenario> … | all  [--seconds N] [--size N] [--rate N] [--workers N] [--ingests N] [--temporal dev|postgres] [--profile]',
  '',
  ...Object.entries(SCENARIOS).map(([name, { about }]) => `  ${name.padEnd(9)} ${about}`),
  '',
].join('\n');

/** Exits at once: what was started ends with its parent, and a half-measured figure is none. */
process.once('disconnect', () => process.exit(1));
process.channel?.unref();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

const chosen = readArguments();
if (chosen === null) {
  process.stderr.write(HELP);
  process.exit(1);
}
const reporter = createReporter();
reporter.add({
  name: 'machine',
  value: describeMachine().cores,
  unit: 'cores',
  with: { ...describeMachine(), ...chosen.options },
});
for (const [name, scenario] of chosen.scenarios) {
  reporter.say(`== ${name}: ${scenario.about}`);
  await scenario.run(reporter, chosen.options);
}
process.stderr.write(`\n${toTable(reporter.figures())}\n`);
process.exit();

function readArguments(): { scenarios: [string, Scenario][]; options: BenchOptions } | null {
  try {
    const { values, positionals } = parseArgs({
      options: {
        seconds: { type: 'string' },
        size: { type: 'string' },
        rate: { type: 'string' },
        workers: { type: 'string', default: '1' },
        ingests: { type: 'string', default: '1' },
        temporal: { type: 'string', default: 'dev' },
        profile: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
    const names = positionals.includes('all') ? Object.keys(SCENARIOS) : positionals;
    const scenarios = names.map((name): [string, Scenario] => {
      const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
      if (scenario === undefined) throw new Error(`There is no scenario "${name}".`);
      return [name, scenario];
    });
    if (scenarios.length === 0) throw new Error('Name a scenario.');
    if (values.temporal !== 'dev' && values.temporal !== 'postgres')
      throw new Error('--temporal is dev or postgres.');
    const { temporal, profile } = values;
    const [seconds, size, rate] = [values.seconds, values.size, values.rate].map(toNumber);
    const workers = toNumber(values.workers) ?? 1;
    const ingests = toNumber(values.ingests) ?? 1;
    return {
      scenarios,
      options: {
        seconds: seconds ?? null,
        size: size ?? null,
        rate: rate ?? null,
        workers,
        ingests,
        temporal,
        profile,
      },
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n`);
    return null;
  }
}

function toNumber(text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`"${text}" is no number above 0.`);
  return value;
}
