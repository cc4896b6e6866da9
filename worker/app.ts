/** The HTTP application: middleware, routes, and where errors become problems. */
import { Hono } from 'hono';
import { TrieRouter } from 'hono/router/trie-router';
import { errorResponse } from './error-dialects.ts';
import { type AppError, RequestError } from './errors.ts';
import { crossOrigin } from './middleware/cross-origin.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import { countInference, countRequest, toLogLine, writeAnalytics } from './observability/request-record.ts';
import { acceptTraceparent, traceIdOf } from './observability/trace.ts';
import { describeCause, isRetryable, PROBLEMS, toAppError } from './problem.ts';
import { classActivationRoute } from './routes/class-activation.ts';
import { classifyRoute } from './routes/classify.ts';
import { consoleRoutes } from './routes/console.ts';
import { docsRoutes } from './routes/docs.ts';
import { embedRoute } from './routes/embed.ts';
import { featuresRoute } from './routes/features.ts';
import { headExamplesRoutes } from './routes/head-examples.ts';
import { headsRoutes } from './routes/heads.ts';
import { healthRoutes } from './routes/health.ts';
import { huggingFaceRoutes } from './routes/hugging-face.ts';
import { inferenceProtocolRoutes } from './routes/inference-protocol.ts';
import { jobsRoutes } from './routes/jobs.ts';
import { keyRoute } from './routes/key.ts';
import { metricsRoute } from './routes/metrics.ts';
import { modelsRoute } from './routes/models.ts';
import { moderateRoute } from './routes/moderate.ts';
import { policiesRoute } from './routes/policies.ts';
import { reviewsRoute } from './routes/reviews.ts';
import { webhooksRoute } from './routes/webhooks.ts';
import { workRoutes } from './routes/work.ts';
import { workersAiRoutes } from './routes/workers-ai.ts';
import type { AppEnvironment, Services } from './services.ts';

/** Request ids that are echoed; any other is replaced. */
const REQUEST_ID_PATTERN = /^[A-Za-z0-9._:-]{1,128}$/;

/** Builds the application; `services` is asked for on the first request, when `Env` is known. */
export function createApp(services: (env: Env) => Services): Hono<AppEnvironment> {
  // A trailing slash is ignored.
  const app = new Hono<AppEnvironment>({ strict: false });
  let isCold = true;

  app.use(async function identify(c, next) {
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && REQUEST_ID_PATTERN.test(given) ? given : crypto.randomUUID();
    c.set('requestId', requestId);
    c.set('traceparent', acceptTraceparent(c.req.header('traceparent')));
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
    c.set('record', isCold ? { coldStart: true } : {});
    isCold = false;
    const work = next();
    // Leases are given back where a request ends; it must reach that point though its client has left.
    c.executionCtx.waitUntil(work);
    await work;
    const { services: used, record, requestId, traceparent } = c.var;
    const route = c.req.routePath === '/*' ? 'none' : c.req.routePath;
    const frame = {
      requestId,
      traceId: traceIdOf(traceparent),
      method: c.req.method,
      route,
      status: c.res.status,
      durationMs: Date.now() - start,
    };
    countRequest(used.metrics, frame, record);
    countInference(used.statistics, frame, record, Date.now());
    if (used.analytics !== null) writeAnalytics(used.analytics, frame, record);
    console.log(JSON.stringify(toLogLine(frame, record)));
  });

  app.route('/', healthRoutes);
  app.route('/', metricsRoute);
  app.route('/', modelsRoute);
  app.route('/', classifyRoute);
  app.route('/', classActivationRoute);
  app.route('/', embedRoute);
  app.route('/', featuresRoute);
  app.route('/', headsRoutes);
  app.route('/', headExamplesRoutes);
  app.route('/', jobsRoutes);
  app.route('/', workRoutes);
  app.route('/', moderateRoute);
  app.route('/', webhooksRoute);
  app.route('/', reviewsRoute);
  app.route('/', policiesRoute);
  app.route('/', huggingFaceRoutes);
  app.route('/', workersAiRoutes);
  app.route('/', inferenceProtocolRoutes);
  app.route('/', docsRoutes);
  app.route('/', keyRoute);
  app.route('/', consoleRoutes);

  const methodsOf = methodTable(app);
  app.notFound((c) => {
    const methods = methodsOf(c.req.path);
    if (methods.length > 0 && c.req.method === 'OPTIONS') {
      return new Response(null, { status: 204, headers: { allow: methods.join(', ') } });
    }
    c.var.record.code = methods.length === 0 ? 'not_found' : 'method_not_allowed';
    if (methods.length === 0) {
      const error = new RequestError('not_found', `no route matches ${c.req.path.slice(0, 200)}`);
      return errorResponse(error, c.var.requestId, c.req.path);
    }
    const message = `${c.req.method} is not allowed at ${c.req.path}; allowed: ${methods.join(', ')}`;
    const error = new RequestError('method_not_allowed', message, { details: { allowed: methods } });
    const response = errorResponse(error, c.var.requestId, c.req.path);
    response.headers.set('allow', methods.join(', '));
    return response;
  });

  app.onError((thrown, c) => {
    const error = toAppError(thrown);
    if (c.var.record !== undefined) c.var.record.code = error.code;
    if (error.code === 'internal_error') logDefect(error, c.var.requestId);
    else if (isRetryable(error)) logFailure(error, c.var.requestId);
    return errorResponse(error, c.var.requestId, c.req.path);
  });

  return app;
}

/** What is allowed at a path: the methods of the routes that match it, parameters included. Built on first use. */
function methodTable(app: Hono<AppEnvironment>): (path: string) => string[] {
  let router: TrieRouter<string> | null = null;
  return (path) => {
    if (router === null) {
      router = new TrieRouter();
      const own = app.routes.filter(({ method, path: pattern }) => method !== 'ALL' && !pattern.endsWith('*'));
      for (const { method, path: pattern } of own) router.add('ANY', pattern, method);
    }
    const methods = new Set(router.match('ANY', path)[0].map(([method]) => method));
    if (methods.has('GET')) methods.add('HEAD');
    if (methods.size > 0) methods.add('OPTIONS');
    return [...methods].sort();
  };
}

/** Logs what the operator has to see: callers are told the code, not the cause. What is only busy is in the request's line already. */
function logFailure(error: AppError, requestId: string): void {
  const { code, message } = error;
  const cause = describeCause(error);
  if (cause === null && PROBLEMS[code].status !== 500) return;
  const line = { level: 'error', event: 'request_failed', request_id: requestId, code, reason: message.slice(0, 300) };
  console.error(JSON.stringify({ ...line, ...(cause === null ? {} : { cause }) }));
}

function logDefect(error: AppError, requestId: string): void {
  const { cause } = error;
  const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  console.error(JSON.stringify({ level: 'error', event: 'internal_error', request_id: requestId, stack }));
}
