import { Hono } from 'hono';

/** Builds the HTTP application: middleware, routes, error mapping. */
export function createApp(): Hono<{ Bindings: Env }> {
  const app = new Hono<{ Bindings: Env }>();
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  return app;
}
