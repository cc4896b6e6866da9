/** The photo of the tests: a mandrill, 128x128 PNG, from the npm package `baboon-image-uri`. Node only. */
import dataUri from 'baboon-image-uri';

/** The photo's bytes. */
export function readPhoto(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(dataUri.slice(dataUri.indexOf(',') + 1), 'base64'));
}
