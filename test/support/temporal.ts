import { inject } from 'vitest';
import { binaryCacheFolder, findTestServerBinary } from '../../runtime/temporal-binary.ts';

/** The Temporal server that all integration tests share; task queues and ids must be a test's own. */
export function testTemporalAddress(): string {
  return inject('temporalAddress');
}

/** The time-skipping server, for `TestWorkflowEnvironment.createTimeSkipping`. */
export async function testServerExecutable(): Promise<{ type: 'existing-path'; path: string }> {
  const path = await findTestServerBinary({
    cacheDir: binaryCacheFolder(process.env),
    environment: process.env,
    log: (text) => void process.stderr.write(text),
  });
  return { type: 'existing-path', path };
}
