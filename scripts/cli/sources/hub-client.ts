/**
 * Hugging Face's hub over HTTP: what a file is (`describe`), and its bytes from any offset (`open`).
 *
 * URL shapes and headers as in huggingface_hub 1.x `file_download.py`: `{endpoint}/{id}/resolve/{revision}/{file}` answers
 * with `X-Repo-Commit`, `ETag` (git's blob id) and, for large files, `X-Linked-Etag` (SHA-256), `X-Linked-Size` and a
 * redirect to a CDN, which must not see the token.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FetchError } from '../../../worker/errors.ts';

const MAX_REDIRECTS = 5;
const MAX_ATTEMPTS = 5;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
const HEADERS_TIMEOUT_MS = 30_000;

/** Where the hub is and who asks. */
export interface HubAccess {
  /** `https://huggingface.co`, or what `HF_ENDPOINT` says. */
  readonly endpoint: string;
  /** `HF_TOKEN`; null for none. */
  readonly token: string | null;
}

/** What the hub says of a file. */
export interface HubFile {
  readonly url: string;
  /** Of the revision asked for; null where the server does not say. */
  readonly commit: string | null;
  readonly size: number | null;
  /** SHA-256 of the bytes (64 digits) or git's SHA-1 of the blob (40 digits); null where the server gives neither. */
  readonly etag: string | null;
}

/** Bytes on their way. */
export interface HubBody {
  /** Where they begin: 0 where the server cannot resume. */
  readonly offset: number;
  readonly stream: ReadableStream<Uint8Array>;
}

/** Whether an error may pass: the connection broke, or the server is busy or broken. */
export class TransientHubError extends Error {
  readonly retryAfterMs: number | null;
  constructor(message: string, retryAfterMs: number | null, cause?: unknown) {
    super(message, { cause });
    this.name = 'TransientHubError';
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * What the hub says of a file; null where the repository has none of that name.
 * @throws FetchError `object_not_found` for an unknown repository or revision, `fetch_failed` otherwise.
 */
export async function describeHubFile(
  access: HubAccess,
  id: string,
  revision: string,
  file: string,
): Promise<HubFile | null> {
  const base = access.endpoint.replace(/\/+$/, '');
  const url = `${base}/${id}/resolve/${encodeURIComponent(revision)}/${file.split('/').map(encodeURIComponent).join('/')}`;
  return retried(async () => {
    const { response, url: finalUrl } = await request(access, url, 'HEAD', {}, false);
    await response.body?.cancel();
    const code = response.headers.get('x-error-code');
    if (response.status === 404 && (code === null || code === 'EntryNotFound')) return null;
    if (response.status >= 400) throw refusal(response, id, revision, code);
    const { headers } = response;
    const isRedirect = response.status >= 300;
    const size = headers.get('x-linked-size') ?? (isRedirect ? null : headers.get('content-length'));
    return {
      url: finalUrl,
      commit: headers.get('x-repo-commit'),
      size: size === null ? null : Number(size),
      etag: normalizeEtag(headers.get('x-linked-etag') ?? headers.get('etag')),
    };
  });
}

/**
 * A file's bytes from an offset on, where the server can; otherwise from the beginning.
 * @throws TransientHubError, which the caller may answer by opening again where it stopped.
 */
export async function openHubFile(access: HubAccess, file: HubFile, offset: number): Promise<HubBody> {
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const { response } = await request(access, file.url, 'GET', headers, true);
  if (response.status === 416 && offset > 0) {
    await response.body?.cancel();
    return openHubFile(access, file, 0);
  }
  if (response.status >= 400 || response.body === null) {
    await response.body?.cancel();
    throw new FetchError('fetch_failed', `${file.url}: HTTP ${response.status}`);
  }
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  const isPartial = response.status === 206 && Number(start) === offset;
  if (response.status === 206 && !isPartial) {
    await response.body.cancel();
    throw new FetchError('fetch_failed', `${file.url}: asked for byte ${offset}, got ${start ?? 'no Content-Range'}`);
  }
  return { offset: isPartial ? offset : 0, stream: response.body };
}

/** Runs something again, a little later each time, as long as its errors are transient. */
export async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      failures++;
      if (!(error instanceof TransientHubError)) throw error;
      if (failures >= MAX_ATTEMPTS) {
        throw new FetchError('fetch_failed', `${error.message}; gave up after ${failures} attempts`, { cause: error });
      }
      await sleep(retryDelayMs(error, failures));
    }
  }
}

/** How long to wait after the nth failure in a row: what the server asks for, else doubling. */
export function retryDelayMs(error: TransientHubError, failures: number): number {
  return Math.min(MAX_RETRY_MS, error.retryAfterMs ?? FIRST_RETRY_MS * 2 ** (failures - 1));
}

/** `W/"abc-gzip"` without its wrapping; null where it is no hash. */
function normalizeEtag(etag: string | null): string | null {
  const hash = etag?.replace(/^W\//, '').replace(/^"|"$/g, '').toLowerCase() ?? '';
  return /^([0-9a-f]{64}|[0-9a-f]{40})$/.test(hash) ? hash : null;
}

/** One request, redirects followed by hand: the token goes to the endpoint's own origin only. */
async function request(
  access: HubAccess,
  url: string,
  method: 'HEAD' | 'GET',
  headers: Readonly<Record<string, string>>,
  leaveHost: boolean,
): Promise<{ response: Response; url: string }> {
  const home = new URL(access.endpoint).origin;
  let current = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const atHome = new URL(current).origin === home;
    const authorization = atHome && access.token !== null ? { authorization: `Bearer ${access.token}` } : {};
    const response = await send(current, method, { ...headers, ...authorization, 'accept-encoding': 'identity' });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return { response, url: current };
    const next = new URL(location, current);
    if (next.protocol !== 'https:' && next.protocol !== new URL(access.endpoint).protocol) {
      throw new FetchError('fetch_failed', `${current}: redirects to ${next.protocol}//, which is not safe`);
    }
    // The hub's own headers are on the answer that points away; what is behind it knows nothing of the repository.
    if (!leaveHost && next.origin !== home) return { response, url: current };
    await response.body?.cancel();
    current = next.href;
  }
  throw new FetchError('fetch_failed', `${url}: more than ${MAX_REDIRECTS} redirects`);
}

async function send(url: string, method: string, headers: Record<string, string>): Promise<Response> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), HEADERS_TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(url, { method, headers, redirect: 'manual', signal: timeout.signal });
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new TransientHubError(
      `${url}: ${timeout.signal.aborted ? `no answer within ${HEADERS_TIMEOUT_MS} ms` : reason}`,
      null,
      cause,
    );
  } finally {
    clearTimeout(timer);
  }
  if (response.status === 429 || response.status >= 500) {
    await response.body?.cancel();
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    throw new TransientHubError(`${url}: HTTP ${response.status}`, Number.isFinite(seconds) ? seconds * 1000 : null);
  }
  return response;
}

function refusal(response: Response, id: string, revision: string, code: string | null): FetchError {
  const details = { repository: id, revision, status: response.status };
  if (code === 'RevisionNotFound') {
    return new FetchError('object_not_found', `${id} has no revision "${revision}"`, { details });
  }
  if (code === 'GatedRepo' || response.status === 403) {
    return new FetchError('fetch_failed', `${id} is gated: accept its terms on the hub, then set HF_TOKEN`, {
      details,
    });
  }
  if (code === 'RepoNotFound' || response.status === 401) {
    const message = `${id} is not on the hub, or is private: check the name, or set HF_TOKEN`;
    return new FetchError('object_not_found', message, { details });
  }
  return new FetchError('fetch_failed', `${id}@${revision}: HTTP ${response.status}`, { details });
}
