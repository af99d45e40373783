import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../db/client.ts';
import { createPostgresStorage } from '../../db/stored-objects.ts';
import { createFolderStorage } from '../../storage/folder-storage.ts';
import type { ObjectStorage } from '../../storage/object-storage.ts';
import { withTestDatabase } from '../support/database.ts';

const urls = withTestDatabase();
let database: Database;
let folder: string;
beforeAll(async () => {
  database = createDatabase({ url: urls().engineUrl, applicationName: 'test', poolSize: 4 });
  folder = await mkdtemp(join(tmpdir(), 'groundswell-storage-'));
});
afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

const STORAGES: readonly (readonly [string, () => ObjectStorage])[] = [
  ['in Postgres', () => createPostgresStorage(database)],
  ['in a folder', () => createFolderStorage(folder)],
];

describe.each(STORAGES)('a storage %s', (_, open) => {
  test('gives back the bytes that it was given, whatever they are', async () => {
    const storage = open();
    for (const data of [Buffer.alloc(0), Buffer.from([0, 255, 10, 0]), randomBytes(3_000_000)]) {
      await storage.put('a/bytes.gz', data);
      expect((await storage.get('a/bytes.gz'))?.equals(data)).toBe(true);
    }
  });

  test('replaces what was there, and another one of its kind sees it', async () => {
    await open().put('a/twice', Buffer.from('a longer first one'));
    await open().put('a/twice', Buffer.from('second'));
    expect(String(await open().get('a/twice'))).toBe('second');
  });

  test('knows nothing under a key that nobody used, and forgets what is deleted, twice if need be', async () => {
    const storage = open();
    expect(await storage.get('a/nothing')).toBeNull();
    await storage.put('gone/b/c', Buffer.from('x'));
    await storage.delete('gone/b/c');
    await storage.delete('gone/b/c');
    await storage.delete('never/was/there');
    expect(await storage.get('gone/b/c')).toBeNull();
    expect(await storage.list('gone')).toEqual([]);
  });

  test('lists what begins with a prefix, in order, and a prefix is no pattern', async () => {
    const storage = open();
    for (const key of ['l/b/2', 'l/b/10', 'l/a.gz', 'l/ax', 'm/a'])
      await storage.put(key, Buffer.from(key));
    expect(await storage.list('l/')).toEqual(['l/a.gz', 'l/ax', 'l/b/10', 'l/b/2']);
    expect(await storage.list('l/b/')).toEqual(['l/b/10', 'l/b/2']);
    expect(await storage.list('l/a')).toEqual(['l/a.gz', 'l/ax']);
    expect(await storage.list('l/_')).toEqual([]);
    expect(await storage.list('l/%')).toEqual([]);
  });

  test('ends with one of them, whole, when two are put at once', async () => {
    const storage = open();
    const both = [Buffer.alloc(500_000, 1), Buffer.alloc(400_000, 2)];
    await Promise.all(both.map(async (data) => storage.put('a/race', data)));
    const data = await storage.get('a/race');
    expect(both.some((each) => data?.equals(each))).toBe(true);
  });

  test.each([
    '../escape',
    '/absolute',
    'a/../b',
    'a//b',
    'A/b',
    'a b',
    '',
    'a/.hidden',
    'a\u0000b',
  ])('refuses the key %j', async (key) => {
    const storage = open();
    await expect(storage.put(key, Buffer.from('x'))).rejects.toThrow('not a key');
    await expect(storage.get(key)).rejects.toThrow('not a key');
    await expect(storage.delete(key)).rejects.toThrow('not a key');
  });
});

describe('a storage in a folder', () => {
  test('takes a file that a crash left half written for none, and lists it so that a purge removes it', async () => {
    const storage = createFolderStorage(`${folder}/`);
    await storage.put('half/a', Buffer.from('x'));
    await writeFile(join(folder, 'half', 'b.8a0.part'), 'half of');
    await writeFile(join(folder, 'half', '.DS_Store'), 'of somebody else');
    expect(await storage.get('half/b')).toBeNull();
    for (const key of await storage.list('half/')) await storage.delete(key);
    expect(await readdir(join(folder, 'half'))).toEqual(['.DS_Store']);
  });

  test('leaves nothing of a file that it could not write', async () => {
    const storage = createFolderStorage(folder);
    await storage.put('taken/a/b', Buffer.from('x'));
    await expect(storage.put('taken/a', Buffer.from('x'))).rejects.toThrow('EISDIR');
    expect(await storage.list('taken/')).toEqual(['taken/a/b']);
  });

  test('whose mount is missing stores nothing elsewhere', async () => {
    const storage = createFolderStorage(join(folder, 'not-mounted'));
    await expect(storage.put('a', Buffer.from('x'))).rejects.toThrow('ENOENT');
  });
});
