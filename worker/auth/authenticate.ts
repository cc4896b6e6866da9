/**
 * Who a request is from and what it may do. Without keys a local deployment is open on localhost; anywhere else it refuses, until
 * keys are made or `AUTH=none` is set on purpose.
 */
import { RequestError } from '../errors.ts';
import { idOfToken, isExpired, type RateTier, SCOPES, type Scope, tokenMatches } from './api-key.ts';
import type { KeyStore } from './key-store.ts';

/** How a deployment authenticates: by keys, or not at all. */
export type AuthMode = 'keys' | 'none';

/** Who calls. */
export interface Principal {
  /** The key's id; `anonymous` where no key is needed. */
  readonly id: string;
  /** Null: not limited, which only a developer's own machine is. */
  readonly rateTier: RateTier | null;
}

/** Who calls, and what they may do. */
export interface Identity extends Principal {
  readonly scopes: readonly Scope[];
}

const ANONYMOUS: Identity = { id: 'anonymous', rateTier: 'standard', scopes: SCOPES };
const DEVELOPER: Identity = { id: 'anonymous', rateTier: null, scopes: SCOPES };

const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/** What is asked of a request. */
export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  /** Host of the request's URL, without the port. Anyone may write `localhost` there: it counts in a local deployment only. */
  readonly host: string;
  /** True where the deployment runs on a developer's machine. */
  readonly isLocal: boolean;
}

/**
 * Checks a request's key against the scope that its route needs.
 * @throws RequestError `unauthorized` (no key, unknown, wrong or expired), `forbidden` (the key lacks the scope),
 * `auth_not_configured` (the deployment has no keys and is not local).
 */
export async function authenticate(
  credentials: Credentials,
  scope: Scope,
  mode: AuthMode,
  keys: KeyStore,
  nowMs: number,
): Promise<Identity> {
  const identity = await identify(credentials, mode, keys, nowMs);
  const { scopes } = identity;
  if (!scopes.includes(scope)) {
    throw new RequestError('forbidden', `the API key lacks the scope "${scope}"; it has ${scopes.join(', ')}`, {
      details: { scope },
    });
  }
  return identity;
}

/**
 * Finds out who a request is from.
 * @throws RequestError `unauthorized` (no key, unknown, wrong or expired), `auth_not_configured` (the deployment has no keys and
 * is not local).
 */
export async function identify(
  credentials: Credentials,
  mode: AuthMode,
  keys: KeyStore,
  nowMs: number,
): Promise<Identity> {
  const { authorization, host, isLocal } = credentials;
  const local = isLocal && LOCAL_HOSTS.has(host);
  if (mode === 'none') return local ? DEVELOPER : ANONYMOUS;
  if (authorization === undefined) {
    if (await keys.hasKeys()) {
      throw new RequestError('unauthorized', 'an API key is needed: Authorization: Bearer bek_...');
    }
    if (local) return DEVELOPER;
    throw new RequestError(
      'auth_not_configured',
      'this deployment has no API keys; make one with "bit-edge keys create", or set AUTH=none to let everyone in',
    );
  }
  const token = /^Bearer\s+(\S+)$/i.exec(authorization)?.[1];
  const id = token === undefined ? null : idOfToken(token);
  const record = id === null ? null : await keys.find(id);
  // One answer for every reason, so that a guesser learns nothing.
  const refused = new RequestError('unauthorized', 'the API key is unknown, wrong or expired');
  if (token === undefined || record === null) {
    // A client library that always sends some token still works where none is needed.
    if (local && !(await keys.hasKeys())) return DEVELOPER;
    throw refused;
  }
  if (!(await tokenMatches(token, record)) || isExpired(record, nowMs)) throw refused;
  return { id: record.id, rateTier: record.rate_tier, scopes: record.scopes };
}
