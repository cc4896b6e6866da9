/** Middleware: the request's API key must have a scope, and be within its rate. */
import type { Context, MiddlewareHandler } from 'hono';
import type { RateTier, Scope } from '../auth/api-key.ts';
import { authenticate, type Credentials, type Principal } from '../auth/authenticate.ts';
import type { KeyStore } from '../auth/key-store.ts';
import { RequestError } from '../errors.ts';
import type { AppEnvironment } from '../services.ts';

/** Period of the rate-limit bindings in wrangler.toml, in seconds; the platform offers 10 and 60. */
const RATE_PERIOD_SECONDS = 60;

/** Requests a period of each tier: the `simple.limit` of its binding in wrangler.toml. */
const RATE_LIMITS: Readonly<Record<RateTier, number>> = { standard: 600, high: 6000 };

/**
 * Lets a request through whose key has `scope`, counts it against the key's rate, and notes whose it is.
 * @throws RequestError `unauthorized`, `forbidden`, `auth_not_configured`, `rate_limited`.
 */
export function requireScope(scope: Scope): MiddlewareHandler<AppEnvironment> {
  return async function checkKeyAndRate(c, next) {
    await checkRate(c, await admit(c, scope, c.var.services.keys));
    await next();
  };
}

/**
 * Lets a GPU worker through. Its key is looked up on every call, so that a revoked one is refused at once, and has no rate: it belongs
 * to the operator, and its calls are bounded by the work to do.
 * @throws RequestError `unauthorized`, `forbidden`, `auth_not_configured`.
 */
export const requireWorker: MiddlewareHandler<AppEnvironment> = async function checkWorkersKey(c, next) {
  await admit(c, 'work', c.var.services.freshKeys);
  await next();
};

/** Checks the request's key, and notes whose it is. */
async function admit(c: Context<AppEnvironment>, scope: Scope, keys: KeyStore): Promise<Principal> {
  const principal = await authenticate(credentialsOf(c), scope, c.var.services.config.authMode, keys, Date.now());
  c.set('tenant', principal.id);
  c.set('scopes', principal.scopes);
  return principal;
}

/** What a request says about who it is from. */
export function credentialsOf(c: Context<AppEnvironment>): Credentials {
  // Requests that came through Cloudflare's network have this header, whatever the deployment's variables say.
  const isLocal = c.var.services.config.localDevelopment && c.req.header('cf-ray') === undefined;
  return { authorization: c.req.header('authorization'), host: new URL(c.req.url).hostname, isLocal };
}

/** Callers without a key share no allowance: each address has its own. */
export function addressOf(c: Context<AppEnvironment>): string {
  return `address:${c.req.header('cf-connecting-ip') ?? 'local'}`;
}

async function checkRate(c: Context<AppEnvironment>, { id, rateTier }: Principal): Promise<void> {
  if (rateTier === null) return;
  c.set('caller', id === 'anonymous' ? addressOf(c) : `key:${id}`);
  const limiter = rateTier === 'high' ? c.env.RATE_LIMITER_HIGH : c.env.RATE_LIMITER;
  const limit = RATE_LIMITS[rateTier];
  c.header('ratelimit-limit', String(limit));
  c.header('ratelimit-policy', `${limit};w=${RATE_PERIOD_SECONDS}`);
  const { success } = await limiter.limit({ key: c.var.caller ?? '' });
  if (success) return;
  throw new RequestError('rate_limited', `over ${limit} requests in ${RATE_PERIOD_SECONDS} s`, {
    details: { limit, period_s: RATE_PERIOD_SECONDS },
    retryAfterSeconds: RATE_PERIOD_SECONDS,
  });
}
