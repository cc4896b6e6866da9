/** Bearer tokens, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { RequestError } from '../worker/errors.ts';

/**
 * Lets through requests that carry the token.
 * @param token null: everything passes.
 * @param open paths that need none.
 */
export function bearerAuth(token: string | null, open: readonly string[]): MiddlewareHandler {
  const expected = token === null ? null : digest(token);
  return async (c, next) => {
    if (expected !== null && !open.includes(c.req.path)) {
      const given = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
      // Digests have one length, so neither the token's length nor its beginning shows in the time taken.
      if (given === undefined || !timingSafeEqual(digest(given), expected)) {
        throw new RequestError(
          'unauthorized',
          given === undefined ? 'a bearer token is needed' : 'the bearer token is wrong',
        );
      }
    }
    await next();
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
