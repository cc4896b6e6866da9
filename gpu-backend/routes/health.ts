/** `GET /v2/health/live` and `/v2/health/ready`; no token is needed for them. */
import { Hono } from 'hono';
import type { Lifecycle } from '../lifecycle.ts';

/** The paths of this file. */
export const HEALTH_PATHS = ['/v2/health/live', '/v2/health/ready'] as const;

/**
 * Live: the process answers and its device does not hang. Ready: every model is loaded and warm, and the process is not
 * draining.
 */
export function healthRoutes(lifecycle: Lifecycle, isStalled: () => boolean): Hono {
  return new Hono()
    .get('/v2/health/live', (c) => {
      const live = !isStalled();
      return c.json({ live }, live ? 200 : 503);
    })
    .get('/v2/health/ready', (c) => {
      const ready = lifecycle.phase === 'ready';
      return c.json({ ready, phase: lifecycle.phase }, ready ? 200 : 503);
    });
}
