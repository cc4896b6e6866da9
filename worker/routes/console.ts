/** The console: its pages and files from Static Assets, under a policy of their own. `CONSOLE=off` removes them. */
import { type Context, Hono } from 'hono';
import { RequestError } from '../errors.ts';
import type { AppEnvironment } from '../services.ts';

/** Addresses of pages: each is the same file, which shows the page that its address names. */
export const CONSOLE_PAGES = [
  '/',
  '/teach',
  '/moderate',
  '/review',
  '/webhooks',
  '/jobs',
  '/models',
  '/health',
] as const;

/** Its own scripts, styles and requests; pictures that it made; nothing inline, nothing from elsewhere, in no frame. */
export const CONSOLE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  'media-src blob:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Names of files carry a hash of what is in them; pages and samples do not. */
const HASHED = /-[A-Z0-9]{8}\.(js|css)$/;

/** The file of every page. @throws RequestError `not_found` with `CONSOLE=off`. */
export function answerConsolePage(c: Context<AppEnvironment>): Promise<Response> {
  return answerFile(c, '/index.html');
}

export const consoleRoutes = new Hono<AppEnvironment>().get('/console/*', (c) => answerFile(c, c.req.path));
for (const path of CONSOLE_PAGES) consoleRoutes.get(path, answerConsolePage);

async function answerFile(c: Context<AppEnvironment>, path: string): Promise<Response> {
  if (!c.var.services.config.console) throw notFound(c);
  const headers = new Headers();
  const known = c.req.header('if-none-match');
  if (known !== undefined) headers.set('if-none-match', known);
  const file = await c.env.ASSETS.fetch(new Request(new URL(path, c.req.url), { headers }));
  if (!file.ok && file.status !== 304) throw notFound(c);
  const response = new Response(file.body, file);
  response.headers.set('cache-control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
  response.headers.set('content-security-policy', CONSOLE_POLICY);
  response.headers.set('permissions-policy', 'camera=(self), microphone=(), geolocation=()');
  response.headers.set('cross-origin-opener-policy', 'same-origin');
  response.headers.set('x-frame-options', 'DENY');
  return response;
}

function notFound(c: Context<AppEnvironment>): RequestError {
  return new RequestError('not_found', `no route matches ${c.req.path.slice(0, 200)}`);
}
