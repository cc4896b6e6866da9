/**
 * Requests to a GPU backend: bounded in flight, each try with a timeout, retried with backoff and jitter behind a circuit
 * breaker. No clock, timer or chance of its own: `fetch`, `now`, `random` and `sleep` are passed in.
 */
import { AppError } from '../errors.ts';
import {
  backoffMs,
  DEFAULT_RETRY_POLICY,
  errorOfStatus,
  isBackendFailure,
  isBackendUnavailable,
  type RetryPolicy,
  unavailable,
} from './backend-retry.ts';
import {
  admit,
  type BreakerPolicy,
  type BreakerState,
  CLOSED,
  DEFAULT_BREAKER_POLICY,
  type Outcome,
  settle,
} from './circuit-breaker.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { BACKEND_CONNECTIONS } from './connections.ts';

/** What a transport needs; the first five are the deployment's, the rest have defaults. */
export interface BackendOptions {
  /** Base address, with or without a trailing slash: `https://gpu.example.com`. */
  readonly url: string;
  /** Sent as `Authorization: Bearer ...`; null for a backend without one. */
  readonly token: string | null;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Requests under way at once. Default `BACKEND_CONNECTIONS`. */
  readonly maxInFlight?: number;
  /** Limit of one try, in milliseconds. */
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
  readonly breaker?: BreakerPolicy;
  /** A state from an earlier client, to carry what it learned. */
  readonly breakerState?: BreakerState;
  /** Responses longer than this are refused, in bytes. */
  readonly maxResponseBytes?: number;
}

/** Default of `timeoutMs`. */
export const DEFAULT_TIMEOUT_MS = 30_000;
/** Default of `maxResponseBytes`. */
export const DEFAULT_MAX_RESPONSE_BYTES = 32 * 1024 * 1024;

/** An answer with its whole body. */
export interface Answer {
  readonly response: Response;
  readonly body: Uint8Array;
}

/** One request: what it is for (in messages), its path behind the base address, and how to read its answer. */
export interface Call<T> {
  readonly what: string;
  readonly path: string;
  readonly init: RequestInit;
  readonly signal?: AbortSignal | undefined;
  /** Called for a 2xx only; what it throws counts as a broken backend. */
  readonly read: (answer: Answer) => T;
}

export class BackendTransport {
  readonly #options: BackendOptions;
  readonly #base: string;
  readonly #limit: ConcurrencyLimit;
  readonly #retry: RetryPolicy;
  readonly #breakerPolicy: BreakerPolicy;
  #breaker: BreakerState;

  constructor(options: BackendOptions) {
    this.#options = options;
    this.#base = options.url.replace(/\/+$/, '');
    this.#limit = new ConcurrencyLimit(options.maxInFlight ?? BACKEND_CONNECTIONS);
    this.#retry = options.retry ?? DEFAULT_RETRY_POLICY;
    this.#breakerPolicy = options.breaker ?? DEFAULT_BREAKER_POLICY;
    this.#breaker = options.breakerState ?? CLOSED;
  }

  /** The breaker's state: JSON, may be kept and given to a later transport. */
  get breakerState(): BreakerState {
    return this.#breaker;
  }

  /** Requests under way, the waits between their tries included. */
  get inFlight(): number {
    return this.#limit.running;
  }

  /**
   * Sends a request until it succeeds, is refused for good, or has had its tries.
   * @throws AppError as `BackendClient.infer`; the signal's reason where it aborts.
   */
  async call<T>(call: Call<T>): Promise<T> {
    return await this.#limit.run(async () => {
      for (let attempt = 1; ; attempt++) {
        call.signal?.throwIfAborted();
        try {
          return await this.#guarded(call);
        } catch (error) {
          if (attempt >= this.#retry.attempts || !isBackendUnavailable(error) || this.#breaker.kind === 'open')
            throw error;
          const asked = error.details.askedSeconds;
          const askedMs = typeof asked === 'number' ? asked * 1000 : 0;
          await this.#options.sleep(backoffMs(this.#retry, attempt + 1, this.#options.random(), askedMs));
        }
      }
    });
  }

  /** One try that asks the breaker first and tells it the result; an answer that refuses only this request is a success. */
  async #guarded<T>(call: Call<T>): Promise<T> {
    const { now } = this.#options;
    const admission = admit(this.#breaker, this.#breakerPolicy, now());
    this.#breaker = admission.state;
    if (!admission.admitted) {
      const seconds = Math.max(1, Math.ceil(admission.waitMs / 1000));
      throw unavailable(`GPU backend: ${call.what}: not tried, it failed too often; next try in ${seconds} s`, {
        details: { breaker: admission.state.kind },
        retryAfterSeconds: seconds,
      });
    }
    const tell = (outcome: Outcome) => {
      this.#breaker = settle(this.#breaker, this.#breakerPolicy, admission.ticket, outcome, now());
    };
    try {
      const result = await this.once(call);
      tell('success');
      return result;
    } catch (error) {
      tell(isBackendFailure(error) ? 'failure' : call.signal?.aborted ? 'cancelled' : 'success');
      throw error;
    }
  }

  /** One try, without the breaker, the limit or retries. Errors are as `call`'s. */
  async once<T>(call: Call<T>): Promise<T> {
    let answer: Answer;
    try {
      answer = await this.#fetch(call);
    } catch (cause) {
      call.signal?.throwIfAborted();
      throw unavailable(`GPU backend: ${call.what}: ${reasonOf(cause)}`, { cause });
    }
    const { response, body } = answer;
    if (!response.ok) {
      throw errorOfStatus(
        call.what,
        response.status,
        response.headers.get('retry-after'),
        new TextDecoder().decode(body),
      );
    }
    try {
      return call.read(answer);
    } catch (cause) {
      throw unavailable(`GPU backend: ${call.what}: answer not understood: ${reasonOf(cause)}`, { cause });
    }
  }

  async #fetch({ path, init, signal }: Call<unknown>): Promise<Answer> {
    const { token, fetch } = this.#options;
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const headers = new Headers(init.headers);
    if (token !== null) headers.set('authorization', `Bearer ${token}`);
    const response = await fetch(`${this.#base}/${path}`, {
      ...init,
      headers,
      // A redirect is never followed: it would carry the token elsewhere.
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    const limit = this.#options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
    return { response, body: await readBody(response, limit) };
  }
}

/** Reads a body of at most `limit` bytes; a longer one is cancelled and refused. */
async function readBody(response: Response, limit: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    if (length > limit) throw unavailable(`answer is longer than ${limit} bytes`, { details: { limit } });
    chunks.push(chunk);
  }
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

function reasonOf(cause: unknown): string {
  return cause instanceof AppError || cause instanceof Error ? cause.message : String(cause);
}
