/**
 * Verifies a signed request under its source's scheme. No I/O, no clock: now is passed in.
 *
 * The signature is checked before the timestamp, so that only a holder of a secret learns more than "invalid".
 */

import {
  isMessageId,
  parseSignatureHeader,
  parseVerificationKey,
  verifyMessage,
} from '../../callbacks/standard-webhooks.ts';
import { ModerationError } from '../../errors.ts';
import { verifyCloudinary, verifyGithub } from './shared-secret.ts';

/** How a source signs. */
export type SignatureScheme = 'standard' | 'github' | 'cloudinary-sha1' | 'cloudinary-sha256';

/** How far a timestamp may lie from now, both ways, in milliseconds. */
export const TIMESTAMP_TOLERANCE_MS = 5 * 60 * 1000;

/** A source's secrets: base64, `whsec_` or `whpk_` for `standard`, the bare shared secret for the others. */
export interface SourceSecrets {
  readonly scheme: SignatureScheme;
  /** Any of them is accepted, so that a secret can be rotated without downtime. */
  readonly secrets: readonly string[];
  /** Secrets that were valid once: refused by name, so that a sender that was forgotten in a rotation learns it. */
  readonly retiredSecrets: readonly string[];
}

/** The parts of a request that signatures cover. */
export interface SignedRequest {
  readonly headers: { get(name: string): string | null };
  /** The raw body, byte for byte as it came. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly nowMs: number;
}

/** What a verified request says about itself. */
export interface VerifiedRequest {
  /** The sender's id of this message; the same on every redelivery. */
  readonly id: string;
  /** True where the signature covers `id`; where it does not, a replay can come under a fresh id. */
  readonly idIsSigned: boolean;
}

/**
 * Checks presence, signature and timestamp of a request.
 * @throws ModerationError `signature_missing`, `signature_invalid`, `unknown_secret` (a retired secret, or a scheme
 * version for which the source has no key) or `timestamp_out_of_range`.
 */
export async function verifyRequest(request: SignedRequest, source: SourceSecrets): Promise<VerifiedRequest> {
  switch (source.scheme) {
    case 'standard':
      return verifyStandard(request, source);
    case 'github':
      return verifyGithubRequest(request, source);
    case 'cloudinary-sha1':
    case 'cloudinary-sha256':
      return verifyCloudinaryRequest(request, source);
  }
}

async function verifyStandard(request: SignedRequest, source: SourceSecrets): Promise<VerifiedRequest> {
  const id = standardHeader(request, 'id');
  const timestampSeconds = parseTimestamp(standardHeader(request, 'timestamp'), 'webhook-timestamp');
  const signatures = standardHeader(request, 'signature');
  if (!isMessageId(id)) {
    throw new ModerationError('signature_invalid', 'webhook-id must be 1 to 256 printable characters without a dot');
  }
  const keys = source.secrets.map(parseVerificationKey);
  const sent = parseSignatureHeader(signatures);
  if (sent.length > 0 && !sent.some(({ version }) => keys.some((key) => key.version === version))) {
    const versions = [...new Set(sent.map(({ version }) => version))];
    throw unknownSecret(`there is no key for signature version ${versions.join(', ')}`);
  }
  const head = { id, timestampSeconds };
  await checkSecrets(
    () => verifyMessage(head, request.body, signatures, keys),
    () => verifyMessage(head, request.body, signatures, source.retiredSecrets.map(parseVerificationKey)),
  );
  checkTimestamp(timestampSeconds, request.nowMs);
  return { id, idIsSigned: true };
}

async function verifyGithubRequest(request: SignedRequest, source: SourceSecrets): Promise<VerifiedRequest> {
  const signature = header(request, 'x-hub-signature-256');
  const id = header(request, 'x-github-delivery');
  if (!isMessageId(id)) {
    throw new ModerationError('signature_invalid', 'x-github-delivery must be 1 to 256 printable characters');
  }
  const any = (secrets: readonly string[]) =>
    anyMatches(secrets, (secret) => verifyGithub(request.body, signature, secret));
  await checkSecrets(
    () => any(source.secrets),
    () => any(source.retiredSecrets),
  );
  return { id, idIsSigned: false };
}

async function verifyCloudinaryRequest(request: SignedRequest, source: SourceSecrets): Promise<VerifiedRequest> {
  const signature = header(request, 'x-cld-signature');
  const timestampSeconds = parseTimestamp(header(request, 'x-cld-timestamp'), 'x-cld-timestamp');
  const digest = source.scheme === 'cloudinary-sha1' ? 'SHA-1' : 'SHA-256';
  const any = (secrets: readonly string[]) =>
    anyMatches(secrets, (secret) => verifyCloudinary(request.body, timestampSeconds, signature, secret, digest));
  await checkSecrets(
    () => any(source.secrets),
    () => any(source.retiredSecrets),
  );
  checkTimestamp(timestampSeconds, request.nowMs);
  // Cloudinary sends no id; what is signed is the body and the second, and that is what the signature names.
  return { id: signature.toLowerCase(), idIsSigned: true };
}

/** Tries every secret, so that the time taken does not tell which one matched. */
async function anyMatches(secrets: readonly string[], matches: (secret: string) => Promise<boolean>): Promise<boolean> {
  let count = 0;
  for (const secret of secrets) if (await matches(secret)) count++;
  return count > 0;
}

async function checkSecrets(current: () => Promise<boolean>, retired: () => Promise<boolean>): Promise<void> {
  if (await current()) return;
  if (await retired()) throw unknownSecret('the secret has been retired; sign with the current one');
  throw new ModerationError('signature_invalid', 'no signature matches the body under any secret of this source');
}

function unknownSecret(why: string): ModerationError {
  return new ModerationError('unknown_secret', `signed with an unknown secret: ${why}`);
}

/** Senders on Svix call the same headers `svix-`; where both are there its own library takes those. */
function standardHeader(request: SignedRequest, name: 'id' | 'timestamp' | 'signature'): string {
  const svix = `svix-${name}`;
  return header(request, request.headers.get(svix) === null ? `webhook-${name}` : svix);
}

function header(request: SignedRequest, name: string): string {
  const value = request.headers.get(name);
  if (value === null || value === '') {
    throw new ModerationError('signature_missing', `header ${name} is missing`, { details: { header: name } });
  }
  return value;
}

function parseTimestamp(text: string, name: string): number {
  if (!/^[0-9]{1,12}$/.test(text)) {
    throw new ModerationError('timestamp_out_of_range', `${name} "${text.slice(0, 40)}" is not a number of seconds`);
  }
  return Number(text);
}

function checkTimestamp(timestampSeconds: number, nowMs: number): void {
  const ageMs = nowMs - timestampSeconds * 1000;
  if (Math.abs(ageMs) > TIMESTAMP_TOLERANCE_MS) {
    const distance = `${Math.round(Math.abs(ageMs) / 1000)} s ${ageMs > 0 ? 'old' : 'in the future'}`;
    throw new ModerationError(
      'timestamp_out_of_range',
      `timestamp is ${distance}; tolerance ${TIMESTAMP_TOLERANCE_MS / 1000} s`,
      { details: { age_seconds: Math.round(ageMs / 1000), tolerance_seconds: TIMESTAMP_TOLERANCE_MS / 1000 } },
    );
  }
}
