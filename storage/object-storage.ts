/** Where files of archives are kept: the port that every storage speaks. */
export interface ObjectStorage {
  /** Keeps bytes under a key, whole or not at all, and durably; what was there before is replaced. */
  put(key: string, data: Uint8Array): Promise<void>;
  /** The bytes under a key; null where there are none. */
  get(key: string): Promise<Buffer | null>;
  /** Removes a key; one that is not there is no error. */
  delete(key: string): Promise<void>;
  /** Every key that begins with a prefix, in order, also of what a crash left half written: whoever removes keys misses nothing. */
  list(prefix: string): Promise<string[]>;
}

const KEY = /^[a-z0-9][a-z0-9-]*(?:\/[a-z0-9][a-z0-9-]*)*(?:\.[a-z0-9]+)*$/;

/** Whether this is a key; a storage may hold other things that somebody put there. */
export function isKey(text: string): boolean {
  return text.length <= 300 && KEY.test(text);
}

/** Refuses keys that could mean a place outside of the storage, or differ only in case. */
export function checkKey(key: string): string {
  if (!isKey(key)) throw new Error('not a key of the object storage');
  return key;
}
