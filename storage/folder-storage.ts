import { randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { checkKey, isKey, type ObjectStorage } from './object-storage.ts';

/** The ending of a file that is being written, or that a crash left half written: a key that nobody asks for, and that a purge finds. */
const UNFINISHED = '.part';

/**
 * Keeps objects as files of a folder, for a mount that every process shares. A file is written beside its place, synced, and
 * renamed: whoever reads sees the old one or the new one whole. The folder must be there, so that a mount that is missing is
 * not taken for an empty one.
 */
export function createFolderStorage(path: string): ObjectStorage {
  const root = resolve(path);
  const pathOf = (key: string): string => join(root, ...checkKey(key).split('/'));
  return {
    put: async (key, data) => {
      await stat(root);
      const path = pathOf(key);
      const folder = dirname(path);
      await mkdir(folder, { recursive: true });
      const part = `${path}.${randomUUID().replaceAll('-', '')}${UNFINISHED}`;
      try {
        await writeSynced(part, data);
        await rename(part, path);
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
      const folders = relative(root, folder).split(sep);
      for (let depth = folders.length; depth >= 0; depth -= 1)
        await syncFolder(join(root, ...folders.slice(0, depth)));
    },
    get: async (key) => {
      try {
        return await readFile(pathOf(key));
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    delete: async (key) => {
      const path = pathOf(key);
      await rm(path, { force: true });
      await syncFolder(dirname(path)).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    },
    list: async (prefix) => {
      await stat(root);
      const folders = prefix.split('/').slice(0, -1);
      // No key has such a part, so nothing begins with it.
      if (folders.includes('..')) return [];
      const entries = await listFolder(join(root, ...folders));
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
        .filter((key) => key.startsWith(prefix) && isKey(key))
        .toSorted();
    },
  };
}

async function writeSynced(path: string, data: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function listFolder(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** A new name is durable only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
