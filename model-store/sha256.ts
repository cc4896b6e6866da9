/** SHA-256 by WebCrypto, which workerd and Node both have. No I/O. */
import { Sha256 } from './sha256-incremental.ts';

/** Node's WebCrypto takes at most this many bytes at once. */
const MAX_DIGEST_BYTES = 2 ** 31 - 1;

/** Bytes in lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

/** SHA-256 of bytes, in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  if (bytes.byteLength > MAX_DIGEST_BYTES) return toHex(new Sha256().update(bytes).digest());
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)));
}
