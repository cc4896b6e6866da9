/**
 * Signature schemes of senders that do not speak Standard Webhooks. No clock: timestamps are passed in.
 * GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 * Cloudinary: https://cloudinary.com/documentation/notification_signatures
 */
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from '../../bytes.ts';

/** The `X-Hub-Signature-256` header GitHub sends: `sha256=` and HMAC-SHA256 of the body in hex. */
export async function signGithub(body: Uint8Array, secret: string): Promise<string> {
  const signature = await crypto.subtle.sign('HMAC', await importHmac(secret, 'sign'), concatBytes(body));
  return `sha256=${toHex(new Uint8Array(signature))}`;
}

/** Checks `X-Hub-Signature-256`, in constant time. */
export async function verifyGithub(body: Uint8Array<ArrayBuffer>, header: string, secret: string): Promise<boolean> {
  const signature = header.startsWith('sha256=') ? fromHex(header.slice('sha256='.length)) : null;
  if (signature === null) return false;
  return crypto.subtle.verify('HMAC', await importHmac(secret, 'verify'), signature, body);
}

/** Digests that a Cloudinary account can be set to. The account's setting must be ours: SHA-1 is the weaker one. */
export type CloudinaryDigest = 'SHA-1' | 'SHA-256';

/** The `X-Cld-Signature` header: hex digest of body, timestamp (decimal seconds) and secret, in that order. */
export async function signCloudinary(
  body: Uint8Array,
  timestampSeconds: number,
  secret: string,
  digest: CloudinaryDigest,
): Promise<string> {
  const content = concatBytes(body, utf8(`${timestampSeconds}${secret}`));
  return toHex(new Uint8Array(await crypto.subtle.digest(digest, content)));
}

/** Checks `X-Cld-Signature`, in constant time. */
export async function verifyCloudinary(
  body: Uint8Array,
  timestampSeconds: number,
  header: string,
  secret: string,
  digest: CloudinaryDigest,
): Promise<boolean> {
  const expected = await signCloudinary(body, timestampSeconds, secret, digest);
  return equalBytes(utf8(expected), utf8(header.toLowerCase()));
}

function importHmac(secret: string, usage: 'sign' | 'verify') {
  return crypto.subtle.importKey('raw', utf8(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [usage]);
}
