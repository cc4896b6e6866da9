/** The encoded bytes of one item: an object through the deployment, or a URL under the deployment's policy. */
import { FetchError, RequestError } from '../../worker/errors.ts';
import { type FetchFunction, safeFetch } from '../../worker/fetch/safe-fetch.ts';
import type { UrlPolicy } from '../../worker/fetch/url-policy.ts';
import { type Deployment, problemOf, type WorkItem } from './deployment.ts';

/** Time that an image's server has, in ms, as at the edge. */
const FETCH_TIMEOUT_MS = 20_000;

/** What images are sent as; some stores know no better than octets. */
const CONTENT_TYPES = ['image/*', 'application/octet-stream', 'binary/octet-stream'];

/** What reading needs. */
export interface ReadOptions {
  readonly deployment: Pick<Deployment, 'read'>;
  readonly policy: UrlPolicy;
  readonly fetch: FetchFunction;
  readonly maxBytes: number;
  /** Waits for memory before the bytes are read. */
  reserve(bytes: number): Promise<void>;
}

/**
 * Reads an item.
 * @throws FetchError `url_not_allowed`, `fetch_failed`, `fetch_timeout`, `object_not_found`; RequestError `body_too_large`; what the
 *   deployment's calls throw.
 */
export async function readItem(item: WorkItem, options: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { deployment, policy, fetch, maxBytes, reserve } = options;
  if (item.url !== undefined) {
    const limits = { maxBytes, contentTypes: CONTENT_TYPES, timeoutMs: FETCH_TIMEOUT_MS };
    return (await safeFetch(item.url, { fetch, policy, ...limits, reserve })).bytes;
  }
  const response = await deployment.read(item.path ?? '', FETCH_TIMEOUT_MS);
  if (!response.ok) {
    const { code, detail } = await problemOf(response);
    if (code === 'object_not_found') throw new FetchError('object_not_found', detail);
    throw new FetchError('fetch_failed', `the deployment answered ${response.status}: ${detail}`, {
      details: { reason: 'network' },
    });
  }
  const bytes = Number(response.headers.get('content-length') ?? maxBytes);
  if (bytes > maxBytes) {
    await response.body?.cancel();
    throw new RequestError('body_too_large', `the object is ${bytes} bytes; limit ${maxBytes}`, {
      details: { bytes, limit_bytes: maxBytes },
    });
  }
  await reserve(bytes);
  return new Uint8Array(await response.arrayBuffer());
}
