/** Middleware: headers that keep a browser from doing more with an answer than reading it. */
import type { MiddlewareHandler } from 'hono';
import type { AppEnvironment } from '../services.ts';

/** JSON needs nothing; the docs page sets its own policy. */
const POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Sets the headers on every answer. */
export const securityHeaders: MiddlewareHandler<AppEnvironment> = async (c, next) => {
  await next();
  c.header('x-content-type-options', 'nosniff');
  c.header('referrer-policy', 'no-referrer');
  c.header('strict-transport-security', 'max-age=31536000; includeSubDomains');
  if (!c.res.headers.has('content-security-policy')) c.header('content-security-policy', POLICY);
};
