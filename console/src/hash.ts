/** Content hashes of what a person picked. */

/** SHA-256 in hex; empty without https, where there is no WebCrypto. */
export async function sha256Of(blob: Blob): Promise<string> {
  if (crypto.subtle === undefined) return '';
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
