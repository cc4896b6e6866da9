/** The document against the application: every route is in it, and nothing else; the page serves it without outside assets. */
import { env, SELF } from 'cloudflare:test';
import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { readConfig } from '../../worker/config.ts';
import { toTemplate } from '../../worker/openapi/document.ts';
import { OPERATIONS } from '../../worker/openapi/operations.ts';
import { PROBLEMS } from '../../worker/problem.ts';
import { CONSOLE_PAGES } from '../../worker/routes/console.ts';
import { docsRoutes } from '../../worker/routes/docs.ts';
import type { AppEnvironment, Services } from '../../worker/services.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

it('documents every route of the application, and no other', () => {
  const app = createApp(() => {
    throw new Error('no request is made');
  });
  // Middleware of one method over a group of paths is registered as a route, too: its paths end in *, or have a handler beside it.
  const routes = app.routes.filter(({ method, path }) => METHODS.includes(method) && !path.endsWith('*'));
  const inApp = new Set(routes.map(({ method, path }) => `${method} ${path}`));
  inApp.delete('POST /v1/webhooks/stats');
  inApp.delete('GET /v1/webhooks/replay');
  inApp.delete('GET /v1/webhooks/rejudge');
  for (const page of CONSOLE_PAGES) inApp.delete(`GET ${page}`);
  expect([...inApp].sort()).toEqual(OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort());
});

it('serves the document with every operation, once, by its own id', async () => {
  const response = await SELF.fetch('http://localhost/openapi.json');
  expect(response.headers.get('content-type')).toBe('application/json');
  const document = (await response.json()) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(ids.sort()).toEqual(OPERATIONS.map(({ id }) => id).sort());
  expect(document.paths[toTemplate('/v1/classify')]!.post).toMatchObject({
    security: [{ apiKey: [] }],
    parameters: expect.arrayContaining([
      expect.objectContaining({ name: 'top_k', schema: { type: 'integer', minimum: 1, maximum: 10_000, default: 5 } }),
    ]),
  });
});

it('serves the page with an anchor for every error code, and nothing from outside, where there is no console', async () => {
  const app = new Hono<AppEnvironment>();
  app.use(async (c, next) => {
    c.set('services', { config: readConfig({ CONSOLE: 'off' }) } as Services);
    await next();
  });
  app.route('/', docsRoutes);
  const response = await app.request('/docs', {}, env);
  const html = await response.text();
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  for (const code of Object.keys(PROBLEMS)) expect(html).toContain(`id="${code}"`);
  expect(html).not.toMatch(/<script|src=|href="http|url\(/);
});

it('serves the page of the console where there is one', async () => {
  const response = await SELF.fetch('http://localhost/docs');
  expect(await response.text()).toContain('<div id="app">');
  expect(response.headers.get('content-security-policy')).toContain("script-src 'self';");
});
