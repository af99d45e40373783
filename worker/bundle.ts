/** Bundles the workflows, in a process of its own: the bundler leaves 300 MB behind that a worker never needs again. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundleWorkflowCode, type WorkflowBundle } from '@temporalio/worker';
import { isMain } from '../runtime/is-main.ts';

const MAX_BUNDLE_BYTES = 64 * 2 ** 20;
const BUNDLE_WITHIN_MS = 60_000;

/** The bundle that the worker runs and the tests inspect. */
export async function bundleWorkflows(): Promise<WorkflowBundle> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    logger: {
      log: () => {},
      trace: () => {},
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: () => {},
    },
  });
}

/** The same, made by a process that ends with it. */
export async function bundleApart(): Promise<WorkflowBundle> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(import.meta.url)],
    { maxBuffer: MAX_BUNDLE_BYTES, timeout: BUNDLE_WITHIN_MS },
  );
  return { code: stdout };
}

if (isMain(import.meta.url)) process.stdout.write((await bundleWorkflows()).code);
