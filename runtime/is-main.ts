import { pathToFileURL } from 'node:url';

/** Whether Node was started with this module, and not with one that imports it. */
export function isMain(moduleUrl: string): boolean {
  const [, file] = process.argv;
  return file !== undefined && moduleUrl === pathToFileURL(file).href;
}
