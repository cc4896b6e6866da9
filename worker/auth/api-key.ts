/**
 * API keys: their shape, their records, and what they allow. Only a SHA-256 of the secret is stored. Pure; the random bytes and
 * the time are passed in.
 */
import * as z from 'zod';
import { sha256Hex, toHex } from '../../model-store/sha256.ts';

/** What a key may be used for; `admin` is for aliases and warming, `work` for GPU workers; neither includes the others. */
export const SCOPES = ['classify', 'embed', 'jobs', 'moderate', 'heads', 'admin', 'work'] as const;
export type Scope = (typeof SCOPES)[number];

/** Which rate limit applies; each is a binding of its own. */
export const RATE_TIERS = ['standard', 'high'] as const;
export type RateTier = (typeof RATE_TIERS)[number];

const ID_HEX_LENGTH = 16;
const SECRET_HEX_LENGTH = 64;

/** Bytes of randomness that `mintApiKey` takes: 8 for the id, 32 for the secret. */
export const KEY_RANDOM_BYTES = (ID_HEX_LENGTH + SECRET_HEX_LENGTH) / 2;

/** `bek_<id>_<secret>`: the id finds the record, the secret proves the caller. */
const TOKEN_PATTERN = /^bek_([0-9a-f]{16})_([0-9a-f]{64})$/;

/** What is stored of a key, at `auth/keys/<id>.json`. */
export const apiKeyRecordSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** For people: who uses it. */
  name: z.string().max(200),
  /** SHA-256 of the whole token, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  scopes: z.array(z.enum(SCOPES)),
  rate_tier: z.enum(RATE_TIERS),
  /** RFC 3339. */
  created_at: z.string(),
  /** RFC 3339; null for a key that does not expire. */
  expires_at: z.string().nullable(),
});
export type ApiKeyRecord = z.infer<typeof apiKeyRecordSchema>;

/** What a new key is to be. */
export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly rateTier: RateTier;
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

/** Where a key's record lies. */
export function apiKeyObjectKey(id: string): string {
  return `${API_KEYS_PREFIX}${id}.json`;
}

/** Prefix of all records. */
export const API_KEYS_PREFIX = 'auth/keys/';

/**
 * Makes a key: the token, which is shown once, and the record, which is stored.
 * @param random `KEY_RANDOM_BYTES` bytes.
 */
export async function mintApiKey(key: NewApiKey, random: Uint8Array): Promise<{ token: string; record: ApiKeyRecord }> {
  const hex = toHex(random);
  const id = hex.slice(0, ID_HEX_LENGTH);
  const token = `bek_${id}_${hex.slice(ID_HEX_LENGTH, ID_HEX_LENGTH + SECRET_HEX_LENGTH)}`;
  const record = {
    id,
    name: key.name,
    sha256: await sha256Hex(new TextEncoder().encode(token)),
    scopes: [...key.scopes],
    rate_tier: key.rateTier,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
  };
  return { token, record };
}

/** The id in a token, or null where it is no token of ours. */
export function idOfToken(token: string): string | null {
  return TOKEN_PATTERN.exec(token)?.[1] ?? null;
}

/** True where the token is the record's; takes the same time wherever they differ. */
export async function tokenMatches(token: string, record: ApiKeyRecord): Promise<boolean> {
  const given = await sha256Hex(new TextEncoder().encode(token));
  let difference = given.length ^ record.sha256.length;
  for (let i = 0; i < record.sha256.length; i++) difference |= given.charCodeAt(i) ^ record.sha256.charCodeAt(i);
  return difference === 0;
}

/** True where the key has expired at `nowMs`. */
export function isExpired(record: ApiKeyRecord, nowMs: number): boolean {
  return record.expires_at !== null && Date.parse(record.expires_at) <= nowMs;
}
