/** `GET /metrics`: what this isolate saw, for Prometheus. */
import { Hono } from 'hono';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';

export const metricsRoute = new Hono<AppEnvironment>().get('/metrics', requireScope('admin'), (c) =>
  c.text(c.var.services.metrics.format(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
);
