/** The HTTP application: routes, authorization, errors. */
import { Hono } from 'hono';
import { RequestError } from '../worker/errors.ts';
import { bearerAuth } from './auth.ts';
import { errorResponse, statusOf } from './http-error.ts';
import type { Log } from './log.ts';
import { METRICS_CONTENT_TYPE } from './metrics.ts';
import { HEALTH_PATHS, healthRoutes } from './routes/health.ts';
import { type InferRouteOptions, inferRoutes } from './routes/infer.ts';
import { modelRoutes } from './routes/models.ts';

/** What the application needs. */
export interface AppOptions extends InferRouteOptions {
  readonly token: string | null;
  readonly log: Log;
  /** Whether the device hangs. */
  readonly isStalled: () => boolean;
  readonly now: () => number;
}

/** Makes the application. */
export function createApp(options: AppOptions): Hono {
  const { registry, lifecycle, metrics, token, log, now } = options;
  const app = new Hono({ strict: false });
  app.use(async (c, next) => {
    const startMs = now();
    await next();
    const { method, path } = c.req;
    const ms = Math.round(1000 * (now() - startMs)) / 1000;
    const error = c.error === undefined ? {} : { error: c.error };
    const isHealth = HEALTH_PATHS.some((each) => each === path);
    const level = isHealth ? 'debug' : c.res.status >= 500 ? 'warn' : 'info';
    // The caller's: joins this line with those of the worker.
    const traceId = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(c.req.header('traceparent') ?? '')?.[1];
    const trace = traceId === undefined ? {} : { trace_id: traceId };
    log(level, 'request', { method, path, status: c.res.status, ms, ...trace, ...error });
  });
  app.use(bearerAuth(token, HEALTH_PATHS));
  app.route('/', healthRoutes(lifecycle, options.isStalled));
  app.route('/', modelRoutes(registry, lifecycle));
  app.route('/', inferRoutes(options));
  app.get('/metrics', (c) => c.body(metrics.render(), 200, { 'content-type': METRICS_CONTENT_TYPE }));
  app.notFound((c) => errorResponse(new RequestError('not_found', `no such path: ${c.req.path.slice(0, 200)}`)));
  app.onError((error) => {
    if (statusOf(error) === 500) log('error', 'request_failed', { error, stack: error.stack });
    return errorResponse(error);
  });
  return app;
}
