/**
 * Links to images of leased chunks: signed, so that reading one costs no look-up of its lease, and good for a time. A link opens one
 * object, for a caller whose key may work.
 */
import { fromHex, toHex, utf8 } from '../../bytes.ts';

/** How long a link is good, in ms: longer than any chunk is worked on. */
export const LINK_MS = 3_600_000;

/** An object of a bucket that images are read from. */
export interface LinkedImage {
  readonly bucket: string;
  readonly key: string;
  /** Ms since 1970. */
  readonly expires: number;
}

/** Signs links, and checks them. */
export class ImageLinks {
  readonly #key: CryptoKey;

  private constructor(key: CryptoKey) {
    this.#key = key;
  }

  /** @param secret of HMAC-SHA256. */
  static async open(secret: ArrayBuffer): Promise<ImageLinks> {
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    return new ImageLinks(await crypto.subtle.importKey('raw', secret, algorithm, false, ['sign', 'verify']));
  }

  /** Path and query of an image. */
  async sign(image: LinkedImage): Promise<string> {
    const signature = await crypto.subtle.sign('HMAC', this.#key, message(image));
    const query = new URLSearchParams({
      bucket: image.bucket,
      key: image.key,
      expires: String(image.expires),
      signature: toHex(new Uint8Array(signature)),
    });
    return `/v1/work/images?${query}`;
  }

  /** True where we signed it and it is still good. @param signature 64 hex digits. */
  async verify(image: LinkedImage, signature: string, nowMs: number): Promise<boolean> {
    const bytes = fromHex(signature);
    if (bytes === null || nowMs >= image.expires) return false;
    return crypto.subtle.verify('HMAC', this.#key, bytes, message(image));
  }
}

/** No two images share one: bucket names have no line ends. */
function message({ bucket, key, expires }: LinkedImage): Uint8Array<ArrayBuffer> {
  return utf8(`${expires}\n${bucket}\n${key}`);
}
