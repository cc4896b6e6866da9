/** Content hashes of pictures. */
import { sha256Hex } from '../../model-store/sha256.ts';

/** SHA-256 in hex; empty on a page that was not loaded over https, where browsers have no WebCrypto. */
export async function sha256Of(blob: Blob): Promise<string> {
  if (crypto.subtle === undefined) return '';
  return sha256Hex(new Uint8Array(await blob.arrayBuffer()));
}
