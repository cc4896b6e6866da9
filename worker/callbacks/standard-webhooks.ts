/**
 * Standard Webhooks 1.0.0 signatures, both directions: HMAC-SHA256 (`v1`) and ed25519 (`v1a`) over
 * `{id}.{timestamp}.{body}`. No clock: timestamps are passed in.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */

import { concatBytes, fromBase64, toBase64, utf8 } from '../bytes.ts';
import { ConfigurationError } from '../errors.ts';

/** Shortest and longest HMAC secret that a sender may sign with, in bytes (the spec's 192 and 512 bits). */
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;

const SECRET_PREFIX = 'whsec_';

/** PKCS#8 wrapping of a 32-byte ed25519 seed (RFC 8410 section 7). */
const PKCS8_ED25519_PREFIX = new Uint8Array([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32]);

/** A key that signs. */
export type SigningKey =
  | { readonly version: 'v1'; readonly secret: Uint8Array<ArrayBuffer> }
  | { readonly version: 'v1a'; readonly seed: Uint8Array<ArrayBuffer> };

/** A key that verifies. */
export type VerificationKey =
  | { readonly version: 'v1'; readonly secret: Uint8Array<ArrayBuffer> }
  | { readonly version: 'v1a'; readonly publicKey: Uint8Array<ArrayBuffer> };

/** What is signed beside the body. */
export interface MessageHead {
  /** Without a dot, so that id, timestamp and body cannot be shifted against each other. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestampSeconds: number;
}

/**
 * Reads a signing key: base64 of 24 to 64 bytes (HMAC), with `whsec_` before it or not, or `whsk_` (base64 of an ed25519 seed of
 * 32 bytes, or of seed and public key, 64 bytes).
 * @throws ConfigurationError that never repeats the key.
 */
export function parseSigningKey(text: string): SigningKey {
  if (!text.startsWith('whsk_')) {
    const secret = parseSecret(text);
    if (secret.byteLength < MIN_SECRET_BYTES || secret.byteLength > MAX_SECRET_BYTES) {
      throw new ConfigurationError(
        `a whsec_ secret has ${secret.byteLength} bytes; expected ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES}`,
      );
    }
    return { version: 'v1', secret };
  }
  const bytes = fromBase64(text.slice('whsk_'.length));
  if (bytes === null || (bytes.byteLength !== 32 && bytes.byteLength !== 64)) {
    throw new ConfigurationError('a whsk_ key is not base64 of 32 or 64 bytes');
  }
  return { version: 'v1a', seed: bytes.slice(0, 32) };
}

/**
 * Reads a verification key: base64 of an HMAC secret, with `whsec_` before it or not, or `whpk_` (base64 of an ed25519 public key of
 * 32 bytes). Its sender chose the secret, so that any length is taken, as the reference libraries do.
 * @throws ConfigurationError that never repeats the key.
 */
export function parseVerificationKey(text: string): VerificationKey {
  if (!text.startsWith('whpk_')) return { version: 'v1', secret: parseSecret(text) };
  const bytes = fromBase64(text.slice('whpk_'.length));
  if (bytes === null || bytes.byteLength !== 32) throw new ConfigurationError('a whpk_ key is not base64 of 32 bytes');
  return { version: 'v1a', publicKey: bytes };
}

function parseSecret(text: string): Uint8Array<ArrayBuffer> {
  const isPrefixed = text.startsWith(SECRET_PREFIX);
  const bytes = fromBase64(isPrefixed ? text.slice(SECRET_PREFIX.length) : text);
  // Without the prefix only its padding tells base64 from a password.
  if (bytes === null || (!isPrefixed && text.length % 4 !== 0)) {
    throw new ConfigurationError(
      'a webhook secret is not base64, with whsec_ before it or not (ed25519 keys begin with whsk_ or whpk_)',
    );
  }
  if (bytes.byteLength === 0) throw new ConfigurationError('a whsec_ secret has 0 bytes');
  return bytes;
}

/**
 * Signs a message with every key, so that a receiver that knows any of them can verify it.
 * @returns The `webhook-signature` header: `v1,<base64> v1a,<base64> ...` in the order of the keys.
 */
export async function signMessage(head: MessageHead, body: Uint8Array, keys: readonly SigningKey[]): Promise<string> {
  if (keys.length === 0) throw new ConfigurationError('no key to sign a webhook with');
  if (!isMessageId(head.id)) throw new RangeError(`"${head.id.slice(0, 80)}" cannot be a webhook-id`);
  const content = signedContent(head, body);
  const signatures = keys.map(async (key) => {
    const signature =
      key.version === 'v1'
        ? await crypto.subtle.sign('HMAC', await importHmac(key.secret, 'sign'), content)
        : await crypto.subtle.sign('Ed25519', await importSeed(key.seed), content);
    return `${key.version},${toBase64(new Uint8Array(signature))}`;
  });
  return (await Promise.all(signatures)).join(' ');
}

/**
 * Checks the signatures of a header against keys; one match is enough. Every pair is tried, in constant time each.
 * @param header `webhook-signature`; versions that are not known are skipped, as the spec asks.
 */
export async function verifyMessage(
  head: MessageHead,
  body: Uint8Array,
  header: string,
  keys: readonly VerificationKey[],
): Promise<boolean> {
  const content = signedContent(head, body);
  let matches = 0;
  for (const { version, signature } of parseSignatureHeader(header)) {
    for (const key of keys) {
      if (key.version !== version) continue;
      const matched =
        key.version === 'v1'
          ? await crypto.subtle.verify('HMAC', await importHmac(key.secret, 'verify'), signature, content)
          : await crypto.subtle.verify('Ed25519', await importPublicKey(key.publicKey), signature, content);
      if (matched) matches++;
    }
  }
  return matches > 0;
}

/** Most signatures that one header may hold; a longer list is somebody making us work. */
const MAX_SIGNATURES = 16;

/** The signatures of a header whose version is known; malformed ones are left out. */
export function parseSignatureHeader(
  header: string,
): readonly { readonly version: 'v1' | 'v1a'; readonly signature: Uint8Array<ArrayBuffer> }[] {
  return header
    .split(' ')
    .slice(0, MAX_SIGNATURES)
    .flatMap((part) => {
      const comma = part.indexOf(',');
      const version = part.slice(0, comma);
      const signature = fromBase64(part.slice(comma + 1));
      return (version === 'v1' || version === 'v1a') && signature !== null ? [{ version, signature }] : [];
    });
}

/** True for 1 to 256 printable ASCII characters without space and dot. */
export function isMessageId(id: string): boolean {
  return /^[!-\-/-~]{1,256}$/.test(id);
}

function signedContent(head: MessageHead, body: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(utf8(`${head.id}.${head.timestampSeconds}.`), body);
}

function importHmac(secret: Uint8Array<ArrayBuffer>, usage: 'sign' | 'verify') {
  return crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, [usage]);
}

function importSeed(seed: Uint8Array<ArrayBuffer>) {
  return crypto.subtle.importKey('pkcs8', concatBytes(PKCS8_ED25519_PREFIX, seed), 'Ed25519', false, ['sign']);
}

function importPublicKey(publicKey: Uint8Array<ArrayBuffer>) {
  return crypto.subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']);
}
