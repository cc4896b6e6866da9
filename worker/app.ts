/** The HTTP application: middleware, routes, and where errors become problems. */
import { Hono } from 'hono';
import { type AppError, RequestError } from './errors.ts';
import { crossOrigin } from './middleware/cross-origin.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import { countRequest, toLogLine, writeAnalytics } from './observability/request-record.ts';
import { problemResponse, toAppError } from './problem.ts';
import { classifyRoute } from './routes/classify.ts';
import { embedRoute } from './routes/embed.ts';
import { featuresRoute } from './routes/features.ts';
import { healthRoutes } from './routes/health.ts';
import { jobsRoutes } from './routes/jobs.ts';
import { metricsRoute } from './routes/metrics.ts';
import { modelsRoute } from './routes/models.ts';
import { moderateRoute } from './routes/moderate.ts';
import { webhooksRoute } from './routes/webhooks.ts';
import type { AppEnvironment, Services } from './services.ts';

/** Request ids that are echoed; any other is replaced. */
const REQUEST_ID_PATTERN = /^[A-Za-z0-9._:-]{1,128}$/;

/** Builds the application; `services` is asked for on the first request, when `Env` is known. */
export function createApp(services: (env: Env) => Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();

  app.use(async function identify(c, next) {
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && REQUEST_ID_PATTERN.test(given) ? given : crypto.randomUUID();
    c.set('requestId', requestId);
    await next();
    c.header('x-request-id', requestId);
  });

  app.use(async function provideServices(c, next) {
    c.set('services', services(c.env));
    await next();
  });

  app.use(securityHeaders);
  app.use(crossOrigin);

  app.use(async function recordRequest(c, next) {
    const start = Date.now();
    c.set('record', {});
    const work = next();
    // Leases are given back where a request ends; it must reach that point though its client has left.
    c.executionCtx.waitUntil(work);
    await work;
    const { services: used, record, requestId } = c.var;
    const route = c.req.routePath === '/*' ? 'none' : c.req.routePath;
    const frame = { requestId, method: c.req.method, route, status: c.res.status, durationMs: Date.now() - start };
    countRequest(used.metrics, frame, record);
    if (used.analytics !== null) writeAnalytics(used.analytics, frame, record);
    console.log(JSON.stringify(toLogLine(frame, record)));
  });

  app.route('/', healthRoutes);
  app.route('/', metricsRoute);
  app.route('/', modelsRoute);
  app.route('/', classifyRoute);
  app.route('/', embedRoute);
  app.route('/', featuresRoute);
  app.route('/', jobsRoutes);
  app.route('/', moderateRoute);
  app.route('/', webhooksRoute);

  app.notFound((c) => {
    const methods = allowedMethods(app, c.req.path);
    c.var.record.code = methods.length === 0 ? 'not_found' : 'method_not_allowed';
    if (methods.length === 0) {
      return problemResponse(new RequestError('not_found', `there is nothing at ${c.req.path}`), c.var.requestId);
    }
    const message = `${c.req.method} is not allowed at ${c.req.path}; allowed: ${methods.join(', ')}`;
    const response = problemResponse(
      new RequestError('method_not_allowed', message, { details: { allowed: methods } }),
      c.var.requestId,
    );
    response.headers.set('allow', methods.join(', '));
    return response;
  });

  app.onError((thrown, c) => {
    const error = toAppError(thrown);
    if (c.var.record !== undefined) c.var.record.code = error.code;
    if (error.code === 'internal_error') logDefect(error, c.var.requestId);
    return problemResponse(error, c.var.requestId);
  });

  return app;
}

/** Methods that have a route at `path`. */
function allowedMethods(app: Hono<AppEnvironment>, path: string): string[] {
  const methods = app.routes
    .filter((route) => route.method !== 'ALL' && route.path === path)
    .map(({ method }) => method);
  if (methods.includes('GET')) methods.push('HEAD');
  return [...new Set(methods)].sort();
}

function logDefect(error: AppError, requestId: string): void {
  const { cause } = error;
  const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  console.error(JSON.stringify({ level: 'error', event: 'internal_error', request_id: requestId, stack }));
}
