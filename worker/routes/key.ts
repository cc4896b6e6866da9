/** `GET /v1/key`: what the API key of the request may do. */
import { Hono } from 'hono';
import { identify } from '../auth/authenticate.ts';
import { credentialsOf } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { refuseParameters } from './support/parameters.ts';

export const keyRoute = new Hono<AppEnvironment>().get('/v1/key', async (c) => {
  refuseParameters(c.req.url);
  const { keys, config } = c.var.services;
  const { id, scopes, rateTier } = await identify(credentialsOf(c), config.authMode, keys, Date.now());
  c.header('cache-control', 'no-store');
  return c.json({ id, scopes, rate_tier: rateTier });
});
