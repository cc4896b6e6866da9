/** SHA-256 of data that comes in pieces: what the platform has for it is passed in. */
import { toHex } from './sha256.ts';
import { Sha256 } from './sha256-incremental.ts';

/** A hash being computed. */
export interface Digest {
  /** Adds bytes; they may be overwritten once this has resolved. */
  update(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The SHA-256 of all bytes, in lower-case hex; nothing can be added afterwards. */
  hex(): Promise<string>;
}

/** Begins a hash. */
export type StartDigest = () => Digest;

/** In TypeScript: everywhere, and slowly. */
export const startPortableDigest: StartDigest = () => {
  const sha256 = new Sha256();
  return {
    update: async (bytes) => void sha256.update(bytes),
    hex: async () => toHex(sha256.digest()),
  };
};
