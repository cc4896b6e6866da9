/** `GET /healthz`: the worker runs. `GET /readyz`: the default model is loaded and warm. */
import { Hono } from 'hono';
import { RuntimeError } from '../errors.ts';
import type { AppEnvironment } from '../services.ts';

export const healthRoutes = new Hono<AppEnvironment>()
  .get('/healthz', (c) => c.json({ status: 'ok' }))
  .get('/readyz', (c) => {
    const { readiness } = c.var.services;
    const ready = readiness.check((promise) => c.executionCtx.waitUntil(promise));
    if (ready !== null) return c.json({ status: 'ready', model: ready });
    throw new RuntimeError('not_ready', readiness.reason, { retryAfterSeconds: 1 });
  });
