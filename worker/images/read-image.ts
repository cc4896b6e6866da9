/** Reads the bytes of one image, from its URL or its bucket. */
import { type Bindings, bucketBinding } from '../bindings.ts';
import { FetchError, RequestError } from '../errors.ts';
import { type FetchFunction, safeFetch } from '../fetch/safe-fetch.ts';
import type { UrlPolicy } from '../fetch/url-policy.ts';
import type { ImageBucket } from './image-buckets.ts';
import type { ImageLocation } from './image-location.ts';

/** Time that an image's server has, in ms. */
const FETCH_TIMEOUT_MS = 20_000;

/** What images are sent as; some stores know no better than octets. */
const CONTENT_TYPES = ['image/*', 'application/octet-stream', 'binary/octet-stream'];

/** The buckets of a deployment, with the bindings that hold them. */
export interface ImageBuckets {
  readonly bindings: Bindings;
  readonly buckets: readonly ImageBucket[];
}

/** What reading images needs. */
export interface ImageSourceOptions extends ImageBuckets {
  readonly fetch: FetchFunction;
  readonly urlPolicy: UrlPolicy;
  readonly maxBytes: number;
  /** Called before the bytes are read, with the most that there can be: memory for them is taken here. */
  reserve(bytes: number): Promise<void>;
}

/**
 * Reads an image.
 * @throws FetchError `url_not_allowed`, `fetch_failed`, `fetch_timeout`, `object_not_found` (also where the object was
 * overwritten since).
 * @throws RequestError `body_too_large`; and as `reserve` does.
 */
export async function readImage(
  location: ImageLocation,
  options: ImageSourceOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if ('url' in location) {
    const { fetch, urlPolicy: policy, maxBytes } = options;
    const reserve = (bytes: number) => options.reserve(bytes);
    const limits = { maxBytes, contentTypes: CONTENT_TYPES, timeoutMs: FETCH_TIMEOUT_MS };
    return (await safeFetch(location.url, { fetch, policy, ...limits, reserve })).bytes;
  }
  const object = await findBucket(location.bucket, options).get(location.key);
  if (object === null || (location.etag !== null && object.etag !== location.etag)) {
    throw new FetchError('object_not_found', 'the object is gone, or was overwritten since', {
      details: { bucket: location.bucket },
    });
  }
  if (object.size > options.maxBytes) {
    await object.body.cancel();
    throw new RequestError('body_too_large', `the object is ${object.size} bytes; limit ${options.maxBytes}`, {
      details: { bytes: object.size, limit_bytes: options.maxBytes },
    });
  }
  await options.reserve(object.size);
  return new Uint8Array(await object.arrayBuffer());
}

/**
 * The bucket that a deployment calls by this name.
 * @throws FetchError `object_not_found` if it names none.
 */
export function findBucket(name: string, { buckets, bindings }: ImageBuckets): R2Bucket {
  const bucket = buckets.find((each) => each.name === name);
  if (bucket !== undefined) return bucketBinding(bindings, bucket.binding);
  throw new FetchError('object_not_found', `bucket "${name}" is not one that images are read from`, {
    details: { bucket: name },
  });
}
