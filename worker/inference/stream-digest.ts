/** SHA-256 by workerd's DigestStream: hashing in native code while a file streams in. */
import type { StartDigest } from '../../model-store/digest.ts';
import { toHex } from '../../model-store/sha256.ts';

/** Begins a hash. Source: https://developers.cloudflare.com/workers/runtime-apis/web-crypto/#constructors */
export const startStreamDigest: StartDigest = () => {
  const stream = new crypto.DigestStream('SHA-256');
  const writer = stream.getWriter();
  return {
    update: (bytes) => writer.write(bytes),
    async hex() {
      await writer.close();
      return toHex(new Uint8Array(await stream.digest));
    },
  };
};
