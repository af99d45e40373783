import { parseArgs } from 'node:util';
import { z } from 'zod';
import { createReporter, describeMachine, toTable } from './figure.ts';
import { benchSend } from './send.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '1000' },
    profile: { type: 'boolean', default: false },
    workers: { type: 'string', default: '1' },
    temporal: { type: 'string', default: 'dev' },
  },
  allowPositionals: true,
});
const reporter = createReporter();
reporter.say(JSON.stringify(describeMachine()));
await benchSend(reporter, {
  seconds: Number(values.seconds),
  rate: Number(values.rate),
  workers: Number(values.workers),
  profile: values.profile,
  temporal: z.enum(['dev', 'postgres']).parse(values.temporal),
});
process.stderr.write(`${toTable(reporter.figures())}\n`);
process.exit();
