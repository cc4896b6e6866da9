/** How errors look on the wire: `{"error": "..."}` with a status, as the protocol asks. */
import { AppError, type ErrorCode } from '../worker/errors.ts';
import type { Outcome } from './backend-metrics.ts';

const STATUS: Partial<Record<ErrorCode, 400 | 401 | 404 | 405 | 413 | 415 | 503>> = {
  invalid_body: 400,
  empty_body: 400,
  invalid_parameter: 400,
  body_too_large: 413,
  unsupported_media_type: 415,
  unauthorized: 401,
  not_found: 404,
  model_not_found: 404,
  method_not_allowed: 405,
  overloaded: 503,
  not_ready: 503,
};

const OUTCOME: Partial<Record<ErrorCode, Outcome>> = {
  not_found: 'not_found',
  model_not_found: 'not_found',
  overloaded: 'overloaded',
  not_ready: 'not_ready',
};

/** The status of an error: 500 for what is nobody's request's fault. */
export function statusOf(error: unknown): 400 | 401 | 404 | 405 | 413 | 415 | 500 | 503 {
  return (error instanceof AppError ? STATUS[error.code] : undefined) ?? 500;
}

/** How an error counts in the metrics. */
export function outcomeOf(error: unknown): Outcome {
  const named = error instanceof AppError ? OUTCOME[error.code] : undefined;
  if (named !== undefined) return named;
  return statusOf(error) < 500 ? 'invalid' : 'failed';
}

/** The response for an error. What is no AppError is not shown: it may hold anything. */
export function errorResponse(error: unknown): Response {
  const status = statusOf(error);
  const message = error instanceof AppError ? error.message : 'internal error';
  const headers = new Headers();
  if (status === 401) headers.set('www-authenticate', 'Bearer');
  if (error instanceof AppError && error.retryAfterSeconds !== undefined) {
    headers.set('retry-after', String(error.retryAfterSeconds));
  }
  if (error instanceof AppError && error.code === 'not_ready') headers.set('connection', 'close');
  return Response.json({ error: message }, { status, headers });
}
