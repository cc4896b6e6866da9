/** Middleware: CORS for the origins that the deployment names; off where it names none. */
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { AppEnvironment } from '../services.ts';

/** How long a browser may keep a preflight's answer, in seconds. */
const MAX_AGE_SECONDS = 600;

/** Headers of answers that a page may read. */
const EXPOSED = ['x-request-id', 'x-cache', 'server-timing', 'retry-after', 'ratelimit-limit', 'ratelimit-policy'];

/** Answers preflights and sends CORS headers; `*` allows every origin. */
export const crossOrigin: MiddlewareHandler<AppEnvironment> = async (c, next) => {
  const { corsOrigins } = c.var.services.config;
  if (corsOrigins.length === 0) return next();
  return cors({
    origin: corsOrigins.includes('*') ? '*' : [...corsOrigins],
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['authorization', 'content-type', 'cache-control', 'idempotency-key', 'x-request-id', 'traceparent'],
    exposeHeaders: EXPOSED,
    maxAge: MAX_AGE_SECONDS,
  })(c, next);
};
