import { parseArgs } from 'node:util';
import { createReporter, describeMachine, toTable } from './figure.ts';
import type { Scenario } from './scenario.ts';
import { imports } from './imports.ts';
import { send } from './send.ts';
import { webhooks } from './webhooks.ts';

const SCENARIOS: Readonly<Record<string, Scenario>> = { send, webhooks, import: imports };

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: 'string' },
    size: { type: 'string' },
    rate: { type: 'string' },
    workers: { type: 'string', default: '1' },
    profile: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

const reporter = createReporter();
reporter.say(JSON.stringify(describeMachine()));
const toNumber = (text: string | undefined): number | null =>
  text === undefined ? null : Number(text);
for (const name of positionals)
  await SCENARIOS[name]?.run(reporter, {
    seconds: toNumber(values.seconds),
    size: toNumber(values.size),
    rate: toNumber(values.rate),
    workers: Number(values.workers),
    profile: values.profile,
  });
process.stderr.write(`${toTable(reporter.figures())}\n`);
process.exit();
