import { files } from './activity-options.ts';
import type { ImportInput } from './contract.ts';
import { installDoorbell } from './doorbell.ts';

/** Imports one file into one list; progress and cancel live in the import's row. */
export async function importWorkflow(input: ImportInput): Promise<void> {
  installDoorbell();
  await files.runImport(input);
}
