/**
 * The table of error codes: the HTTP status, who is to blame, the title. Errors on the wire: RFC 9457 problem details.
 */
import { AppError, type ErrorCode } from './errors.ts';

/**
 * Who has to change something before the same request succeeds. `request`: the caller. `image`: the owner of the image, or of the server that it is on.
 * `model`: the operator, who stored a model or policy that cannot answer. `service`: nobody (it passes), or the operator.
 * Only `request` and `image` say anything about the work itself: work that failed for `model` or `service` is not done, is tried
 * again, and is never reported as decided.
 */
export type Blame = 'request' | 'image' | 'model' | 'service';

interface Mapping {
  readonly status: number;
  readonly blame: Blame;
  readonly title: string;
}

/** HTTP status, blame and title of every error code. */
export const PROBLEMS: Readonly<Record<ErrorCode, Mapping>> = {
  empty_body: { status: 400, blame: 'request', title: 'The request body is empty' },
  body_too_large: { status: 413, blame: 'request', title: 'Request body too large' },
  unsupported_media_type: { status: 415, blame: 'request', title: 'Unsupported content type' },
  invalid_body: { status: 400, blame: 'request', title: 'Invalid request body' },
  invalid_parameter: { status: 400, blame: 'request', title: 'Invalid parameter' },
  unknown_parameter: { status: 400, blame: 'request', title: 'Unknown parameter' },
  missing_image: { status: 400, blame: 'request', title: 'No image in the request' },
  too_many_images: { status: 413, blame: 'request', title: 'Too many images in the request' },
  not_found: { status: 404, blame: 'request', title: 'Not found' },
  method_not_allowed: { status: 405, blame: 'request', title: 'Method not allowed' },
  conflict: { status: 409, blame: 'request', title: 'Conflict with the current state' },
  unauthorized: { status: 401, blame: 'request', title: 'A valid API key is required' },
  forbidden: { status: 403, blame: 'request', title: 'The API key does not permit this' },
  rate_limited: { status: 429, blame: 'request', title: 'Too many requests' },
  auth_not_configured: { status: 500, blame: 'service', title: 'This deployment has no API keys' },
  body_timeout: { status: 408, blame: 'request', title: 'Timed out while receiving the request body' },
  too_many_uploads: { status: 429, blame: 'request', title: 'Too many concurrent uploads' },
  unrecognized_image: { status: 415, blame: 'image', title: 'Unrecognized image format' },
  unsupported_image_format: { status: 415, blame: 'image', title: 'Unsupported image format' },
  unsupported_image_feature: { status: 415, blame: 'image', title: 'Unsupported image feature' },
  truncated_image: { status: 422, blame: 'image', title: 'Truncated image' },
  corrupt_image: { status: 422, blame: 'image', title: 'Corrupt image' },
  image_too_large: { status: 413, blame: 'image', title: 'Image too large' },
  image_memory_exceeded: { status: 413, blame: 'image', title: 'Decoding the image would exceed the memory limit' },
  model_not_found: { status: 404, blame: 'model', title: 'Model not found' },
  model_unavailable: { status: 503, blame: 'service', title: 'The model is temporarily unavailable' },
  model_corrupt: { status: 500, blame: 'model', title: 'The stored model is corrupt' },
  model_too_large: { status: 500, blame: 'model', title: 'The model exceeds the memory limit' },
  invalid_model_config: { status: 500, blame: 'model', title: 'Invalid model configuration' },
  invalid_checkpoint: { status: 500, blame: 'model', title: 'Invalid checkpoint' },
  invalid_manifest: { status: 500, blame: 'model', title: 'Invalid model manifest' },
  model_failed: { status: 500, blame: 'model', title: 'The model failed to run' },
  unsupported_output: { status: 422, blame: 'request', title: 'The model has no such output' },
  overloaded: { status: 503, blame: 'service', title: 'The service is overloaded' },
  memory_budget_exceeded: { status: 503, blame: 'service', title: 'Insufficient memory' },
  inference_failed: { status: 503, blame: 'service', title: 'Inference failed' },
  not_ready: { status: 503, blame: 'service', title: 'The service is not ready' },
  client_gone: { status: 499, blame: 'request', title: 'Client closed the connection' },
  url_not_allowed: { status: 400, blame: 'request', title: 'URL not allowed' },
  fetch_failed: { status: 422, blame: 'image', title: 'Failed to fetch the URL' },
  fetch_timeout: { status: 422, blame: 'image', title: 'Timed out while fetching the URL' },
  object_not_found: { status: 404, blame: 'image', title: 'Object not found' },
  invalid_policy: { status: 422, blame: 'model', title: 'Invalid policy' },
  policy_not_found: { status: 404, blame: 'request', title: 'Policy not found' },
  signature_missing: { status: 401, blame: 'request', title: 'Missing signature' },
  signature_invalid: { status: 401, blame: 'request', title: 'Signature mismatch' },
  timestamp_out_of_range: { status: 400, blame: 'request', title: 'Timestamp outside the tolerance' },
  unknown_secret: { status: 403, blame: 'request', title: 'Unknown secret' },
  webhook_replayed: { status: 409, blame: 'request', title: 'Webhook replayed with a different body' },
  job_not_found: { status: 404, blame: 'request', title: 'Job not found' },
  job_state_conflict: { status: 409, blame: 'request', title: 'Not possible in the state of the job' },
  invalid_manifest_line: { status: 422, blame: 'request', title: 'Invalid manifest line' },
  idempotency_conflict: { status: 409, blame: 'request', title: 'Idempotency key reused with a different request' },
  idempotency_in_progress: {
    status: 409,
    blame: 'request',
    title: 'A request with this idempotency key is in progress',
  },
  backend_unavailable: { status: 503, blame: 'service', title: 'The GPU backend is unavailable' },
  lease_lost: { status: 409, blame: 'request', title: 'The lease is not held' },
  head_not_found: { status: 404, blame: 'request', title: 'Head not found' },
  example_not_found: { status: 404, blame: 'request', title: 'Example not found' },
  head_untrainable: { status: 422, blame: 'request', title: 'The head cannot be trained on these examples' },
  head_limit_exceeded: { status: 413, blame: 'request', title: 'Head limit exceeded' },
  head_backbone_changed: { status: 409, blame: 'request', title: 'The backbone of the head has changed' },
  invalid_configuration: { status: 500, blame: 'service', title: 'The deployment is misconfigured' },
  internal_error: { status: 500, blame: 'service', title: 'Internal error' },
};

/** Characters of a cause that are logged. */
const MAX_CAUSE_LENGTH = 500;

/** Media type of RFC 9457. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** The body of a problem: RFC 9457's members, then `code`, `request_id` and the numbers involved. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly request_id: string;
  readonly [number: string]: unknown;
}

/** Any thrown value as an AppError; what is not one becomes `internal_error` without its message. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('internal_error', 'an internal error occurred; the logs have it by the request id', {
    cause: error,
  });
}

/** Who is to blame for any thrown value; what is not an AppError is a defect of ours: `service`. */
export function blameOf(error: unknown): Blame {
  return PROBLEMS[toAppError(error).code].blame;
}

/** True if the same work can be done later without a change to it: its failure says nothing about the request or the image. */
export function isRetryable(error: unknown): boolean {
  const blame = blameOf(error);
  return blame === 'model' || blame === 'service';
}

/** What led to an error, as far as it is known: for logs only, since it may hold anything. Null if there is nothing to add. */
export function describeCause(error: AppError): string | null {
  const messages: string[] = [];
  for (let cause = error.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    messages.push(cause instanceof Error ? cause.message : String(cause));
  }
  return messages.length === 0 ? null : messages.join(': ').slice(0, MAX_CAUSE_LENGTH);
}

/** Builds the problem body of an error. */
export function toProblem(error: AppError, requestId: string): Problem {
  const { status, title } = PROBLEMS[error.code];
  return {
    // First: a detail never takes the place of a member.
    ...error.details,
    type: `/docs#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
  };
}

/**
 * The response of an error. What passes by itself carries `Retry-After`: 503, 429, and a conflict with a request that is still being
 * received. Any other says in `X-Should-Retry`, which the clients of Cloudflare's API obey, that a repetition is in vain.
 */
export function problemResponse(error: AppError, requestId: string): Response {
  const problem = toProblem(error, requestId);
  const headers = new Headers({ 'content-type': PROBLEM_MEDIA_TYPE, 'cache-control': 'no-store' });
  const retryAfter = error.retryAfterSeconds ?? (problem.status === 503 ? 5 : undefined);
  if (retryAfter !== undefined && problem.status !== 500) headers.set('retry-after', String(retryAfter));
  else if (problem.status !== 429) headers.set('x-should-retry', 'false');
  if (problem.status === 401) headers.set('www-authenticate', 'Bearer');
  if (error.code === 'rate_limited') {
    const { limit = 0, period_s: period = 0 } = error.details;
    headers.set('ratelimit-limit', String(limit));
    headers.set('ratelimit-policy', `${limit};w=${period}`);
    headers.set('ratelimit-remaining', '0');
    headers.set('ratelimit-reset', String(period));
  }
  // RFC 7694: what the same body may be sent as instead.
  if (Array.isArray(error.details.accept_encoding)) {
    headers.set('accept-encoding', error.details.accept_encoding.join(', '));
  }
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
