/**
 * Fetches what a stranger's URL points at: every hop judged, redirects followed by hand, type and size checked while
 * the body streams in, one deadline over all of it. The fetch function and the resolver are passed in.
 */
import { type ByteSource, openByteSource, readAll } from '../../model-store/byte-source.ts';
import { AppError, FetchError, type FetchErrorCode } from '../errors.ts';
import { judgeRedirect, judgeResolvedAddress, judgeUrl, type UrlPolicy } from './url-policy.ts';

/** What is asked of the fetch function: the global `fetch` fits. */
export type FetchFunction = (url: string, init: FetchInit) => Promise<Response>;

/** The request of one hop. Nothing of the caller's request is passed on: no cookie, no authorization, no referrer. */
export interface FetchInit {
  readonly method: 'GET';
  readonly headers: Readonly<Record<string, string>>;
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

/** Why a fetch failed; `details.reason` of `fetch_failed`. */
export type FetchFailure =
  | 'network'
  | 'status'
  | 'too_many_redirects'
  | 'bad_redirect'
  | 'content_type'
  | 'too_large'
  | 'empty'
  | 'unresolved';

/** Limits of one fetch. */
export interface SafeFetchOptions {
  readonly fetch: FetchFunction;
  readonly policy: UrlPolicy;
  /** Cap on the decoded body, in bytes; a body of exactly this size passes. */
  readonly maxBytes: number;
  /** Allowed media types in lower case: `image/png`, or `image/*` for a whole family. */
  readonly contentTypes: readonly string[];
  /** Deadline over all hops and the body, in milliseconds. */
  readonly timeoutMs: number;
  /** Default 3. */
  readonly maxRedirects?: number;
  /**
   * Called before a body is read, with the most bytes that it can have: what the server declares, or `maxBytes`.
   * Whoever must find memory for it waits here, or throws.
   */
  readonly reserve?: (bytes: number) => Promise<void>;
  /** Default `bit-edge`. */
  readonly userAgent?: string;
  /**
   * Looks up a name's addresses; all of them must be public. Needed where the platform does not keep private networks
   * out of reach (self-hosted workerd, Node). It narrows the gap to DNS rebinding, it cannot close it:
   * the connection resolves the name again.
   */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** What came back. */
export interface FetchedResource {
  /** URL of the last hop. */
  readonly url: string;
  /** Media type in lower case, without parameters. */
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly redirects: number;
}

/** Redirects followed unless told otherwise. */
export const MAX_REDIRECTS = 3;

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches a resource under a policy.
 * @throws FetchError `url_not_allowed` (any hop), `fetch_timeout`, or `fetch_failed` with `details.reason`; and as
 * `reserve` does.
 */
export async function safeFetch(url: string, options: SafeFetchOptions): Promise<FetchedResource> {
  const first = judgeUrl(url, options.policy);
  const controller = new AbortController();
  const deadline = new Deadline(controller, options.timeoutMs);
  try {
    const { response, last, redirects } = await follow(first, options, deadline);
    const contentType = mediaType(response);
    if (!isAllowedType(contentType, options.contentTypes)) {
      throw failure(
        'content_type',
        `content type "${contentType}" is not in the list ${options.contentTypes.join(', ')}`,
      );
    }
    const bytes = await readCapped(response, options, deadline);
    return { url: last.href, contentType, bytes, redirects };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw failure('network', `the connection to ${first.hostname} failed`, error);
  } finally {
    deadline.clear();
    // Lets go of a body that was refused half-way; after a full read it does nothing.
    controller.abort();
  }
}

async function follow(
  first: URL,
  options: SafeFetchOptions,
  deadline: Deadline,
): Promise<{ response: Response; last: URL; redirects: number }> {
  const maxRedirects = options.maxRedirects ?? MAX_REDIRECTS;
  const headers = { accept: options.contentTypes.join(', '), 'user-agent': options.userAgent ?? 'bit-edge' };
  let current = first;
  for (let redirects = 0; ; redirects++) {
    await checkAddresses(current, options, deadline);
    const init: FetchInit = { method: 'GET', headers, redirect: 'manual', signal: deadline.signal };
    const response = await deadline.within(options.fetch(current.href, init));
    if (!REDIRECT_STATUSES.has(response.status)) {
      if (response.status !== 200) {
        throw failure('status', `${current.hostname} answered ${response.status}`, undefined, {
          status: response.status,
        });
      }
      return { response, last: current, redirects };
    }
    if (redirects === maxRedirects) {
      throw failure('too_many_redirects', `more than ${maxRedirects} redirects`, undefined, { limit: maxRedirects });
    }
    const location = response.headers.get('location');
    if (location === null || location === '') {
      throw failure('bad_redirect', `${current.hostname} answered ${response.status} without a Location`);
    }
    current = judgeRedirect(location, current, options.policy);
    // Frees the connection; what a redirect says in its body is nobody's concern.
    if (response.body !== null) await deadline.within(response.body.cancel());
  }
}

async function checkAddresses(url: URL, options: SafeFetchOptions, deadline: Deadline): Promise<void> {
  if (options.resolve === undefined || options.policy.exemptOrigins.has(url.origin)) return;
  const host = url.hostname;
  if (host.startsWith('[') || /^[0-9.]+$/.test(host)) return; // an IP literal, judged already
  let addresses: readonly string[];
  try {
    addresses = await deadline.within(options.resolve(host));
  } catch (cause) {
    if (cause instanceof FetchError) throw cause;
    throw failure('unresolved', `host "${host}" does not resolve`, cause);
  }
  if (addresses.length === 0) throw failure('unresolved', `host "${host}" has no address`);
  for (const address of addresses) judgeResolvedAddress(address, host);
}

async function readCapped(
  response: Response,
  options: SafeFetchOptions,
  deadline: Deadline,
): Promise<Uint8Array<ArrayBuffer>> {
  // A compressed body is longer than what is declared.
  const isPlain = response.headers.get('content-encoding') === null;
  const declared = Number((isPlain && response.headers.get('content-length')) || Number.NaN);
  if (declared > options.maxBytes) throw tooLarge(options.maxBytes, declared);
  const maxBytes = declared > 0 ? declared : options.maxBytes;
  if (options.reserve !== undefined) await deadline.within(options.reserve(maxBytes));
  if (response.body === null) throw failure('empty', 'the body is empty');
  const source = openByteSource(response.body);
  try {
    const timed: Pick<ByteSource, 'read'> = {
      read: (buffer, offset) => deadline.within(source.read(buffer, offset)),
    };
    const { buffer, length } = await readAll(timed, maxBytes, declared > 0 ? declared : null);
    if (length > maxBytes) throw tooLarge(maxBytes, length);
    if (length === 0) throw failure('empty', 'the body is empty');
    return new Uint8Array(buffer, 0, length);
  } catch (error) {
    // Not awaited: a body that stalls may stall its cancellation too.
    source.cancel(error).catch(() => undefined);
    throw error;
  }
}

function mediaType(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

function isAllowedType(type: string, allowed: readonly string[]): boolean {
  return allowed.some((each) => (each.endsWith('/*') ? type.startsWith(each.slice(0, -1)) : type === each));
}

function tooLarge(maxBytes: number, bytes: number): FetchError {
  return failure('too_large', `the body is ${bytes} bytes or more; limit ${maxBytes}`, undefined, { limit: maxBytes });
}

function failure(
  reason: FetchFailure,
  message: string,
  cause?: unknown,
  details: Readonly<Record<string, number>> = {},
): FetchError {
  const code: FetchErrorCode = 'fetch_failed';
  return new FetchError(code, `fetch failed: ${message}`, { details: { reason, ...details }, cause });
}

/** One deadline over many steps. A step that ignores the abort signal is left behind. */
class Deadline {
  readonly #controller: AbortController;
  readonly #expired: Promise<never>;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(controller: AbortController, timeoutMs: number) {
    this.#controller = controller;
    const { promise, reject } = Promise.withResolvers<never>();
    this.#expired = promise;
    // Nobody may be waiting when it expires between two steps.
    promise.catch(() => undefined);
    this.#timer = setTimeout(() => {
      const details = { timeout_ms: timeoutMs };
      reject(new FetchError('fetch_timeout', `fetch took longer than ${timeoutMs} ms`, { details }));
      controller.abort();
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The step's result, or the timeout, whichever comes first. */
  within<T>(step: Promise<T>): Promise<T> {
    return Promise.race([step, this.#expired]);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
