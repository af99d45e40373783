import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Encrypts small secrets at rest with one named key, and opens what older ones sealed. */
export interface SecretBox {
  readonly keyId: string;
  seal(plain: string): Buffer;
  open(sealed: Uint8Array, keyId: string): string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM; layout: nonce, tag, ciphertext. The key's name is authenticated with it. */
export function createSecretBox(options: {
  readonly key: string;
  readonly keyId: string;
  /** Keys of before, by their names, in base64. */
  readonly oldKeys?: ReadonlyMap<string, string>;
}): SecretBox {
  const key = Buffer.from(options.key, 'base64');
  const keys = new Map([...(options.oldKeys ?? []), [options.keyId, options.key]]);
  return {
    keyId: options.keyId,
    seal: (plain) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(options.keyId));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open: (sealed, keyId) => {
      const sealer = keys.get(keyId);
      if (sealer === undefined) {
        throw new Error(
          `This secret was sealed with key ${keyId}, but KEY_ENCRYPTION_KEY_ID is ${options.keyId}. ` +
            `Add ${keyId} to KEY_ENCRYPTION_OLD_KEYS.`,
        );
      }
      const bytes = Buffer.from(sealed);
      const opener = Buffer.from(sealer, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', opener, bytes.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(keyId))
        .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([
        decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)),
        decipher.final(),
      ]).toString('utf8');
    },
  };
}
