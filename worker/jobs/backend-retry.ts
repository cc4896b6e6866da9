/**
 * Which answers of a backend are worth another try, how long to wait for it, and what they mean to a caller. Pure.
 */
import { type AppError, ConfigurationError, JobError, ModelError, RequestError } from '../errors.ts';
import { decodeError } from '../oip/infer-response.ts';

/** How often a call is tried, and the waits between. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Three tries, 0.1 and 0.2 s apart on average. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = { attempts: 3, baseMs: 200, maxMs: 5_000 };

/** Seconds to wait that we tell callers where the backend names none. */
export const DEFAULT_RETRY_AFTER_S = 5;

/**
 * Milliseconds to wait before try `attempt` (2 is the second): full jitter over an exponential ceiling, but never less
 * than the backend asked for, as far as `maxMs` allows.
 * @param random a number in [0, 1).
 * @param askedMs what the backend's `Retry-After` asks for; 0 without one.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number, askedMs: number): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * 2 ** (attempt - 2));
  return Math.min(policy.maxMs, Math.max(random * ceiling, askedMs));
}

/** Seconds of a `Retry-After` header; dates and nonsense are ignored. */
export function parseRetryAfter(value: string | null): number | undefined {
  return value !== null && /^\d{1,6}$/.test(value.trim()) ? Number(value) : undefined;
}

/** Whether an error is about the backend's state (down, busy, broken) and not about the request: worth another try. */
export function isBackendUnavailable(error: unknown): error is JobError {
  return error instanceof JobError && error.code === 'backend_unavailable';
}

/** Whether an error counts as a failure for the breaker: a backend that is merely busy is well. */
export function isBackendFailure(error: unknown): boolean {
  return isBackendUnavailable(error) && error.details.busy !== true;
}

/**
 * The error that a status other than 2xx means.
 * 401 and 403: our token is wrong. 404: no such model there. 408, 425, 429, 5xx and redirects: unavailable; 429, and 503
 * with a `Retry-After`, are a backend that is busy (details `busy`, and `askedSeconds` where it says how long).
 * Any other 4xx: the backend refuses this request, and will refuse it again.
 */
export function errorOfStatus(what: string, status: number, retryAfter: string | null, body: string): AppError {
  const said = decodeError(body) ?? body.slice(0, 200);
  const message = `GPU backend: ${what}: status ${status}${said === '' ? '' : `: ${said}`}`;
  const details = { status };
  if (status === 401 || status === 403) {
    return new ConfigurationError(`${message} (the backend does not accept our token)`, { details });
  }
  if (status === 404) return new ModelError('model_not_found', message, { details });
  if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) {
    return new RequestError('invalid_body', message, { details });
  }
  const askedSeconds = parseRetryAfter(retryAfter);
  const busy = status === 429 || (status === 503 && askedSeconds !== undefined);
  return unavailable(message, {
    details: { ...details, busy, ...(askedSeconds !== undefined && { askedSeconds }) },
    retryAfterSeconds: askedSeconds ?? DEFAULT_RETRY_AFTER_S,
  });
}

/** The error of a backend that cannot answer now. */
export function unavailable(message: string, options: ConstructorParameters<typeof JobError>[2] = {}): JobError {
  return new JobError('backend_unavailable', message, { retryAfterSeconds: DEFAULT_RETRY_AFTER_S, ...options });
}
