import { files } from './activity-options.ts';
import type { ExportInput } from './contract.ts';
import { installDoorbell } from './doorbell.ts';

/** Writes one file for an org to fetch; progress and cancel live in the export's row. */
export async function exportWorkflow(input: ExportInput): Promise<void> {
  installDoorbell();
  await files.runExport(input);
}
