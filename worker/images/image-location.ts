/** The location of an image that a request names: a URL, or an object of a bucket that images are read from. Pure. */
import * as z from 'zod';
import { FetchError, RequestError } from '../errors.ts';
import { judgeUrl, type UrlPolicy } from '../fetch/url-policy.ts';
import type { ImageBucket } from './image-buckets.ts';

/** Where an image is; stored in the ledger's tables as JSON. */
export type ImageLocation =
  | { readonly url: string }
  | { readonly bucket: string; readonly key: string; readonly etag: string | null };

/** An object's key in the first bucket that is configured, or bucket and key. */
export const r2ReferenceSchema = z.union([
  z.string().min(1).max(1024),
  z.strictObject({ bucket: z.string().min(1).max(63), key: z.string().min(1).max(1024) }),
]);

/** The members that name an image, for schemas that have others too. Exactly one is given: see `namesOneImage`. */
export const imageReferenceMembers = { url: z.string().optional(), r2: r2ReferenceSchema.optional() };

/** For `refine`, with its message. */
export const namesOneImage = ({ url, r2 }: { url?: unknown; r2?: unknown }) =>
  (url === undefined) !== (r2 === undefined);
export const NAMES_ONE_IMAGE = 'must name one of url and r2';

const referenceSchema = z.strictObject(imageReferenceMembers).refine(namesOneImage, NAMES_ONE_IMAGE);

/** Which images a deployment reads. */
export interface ImageRules {
  readonly buckets: readonly ImageBucket[];
  readonly urlPolicy: UrlPolicy;
}

/**
 * The location that a request names by `url` or `r2`; checks the members.
 * @param where prefix of the members' names in messages, such as `inputs[1].`
 * @throws RequestError `invalid_body`; FetchError `url_not_allowed`.
 */
export function locateImage(
  members: { readonly url: unknown; readonly r2: unknown },
  where: string,
  rules: ImageRules,
): ImageLocation {
  const result = referenceSchema.safeParse(members);
  if (result.success) return locateReference(result.data, where, rules);
  const issue = result.error.issues[0]!;
  const field = `${where}${issue.path.join('.') || 'body'}`;
  throw new RequestError('invalid_body', `${field}: ${issue.message}`, { details: { field } });
}

/** The same for checked members. @throws RequestError `invalid_body`; FetchError `url_not_allowed`. */
export function locateReference(
  reference: z.infer<typeof referenceSchema>,
  where: string,
  { buckets, urlPolicy }: ImageRules,
): ImageLocation {
  if (reference.url !== undefined) return { url: judgeMember(reference.url, `${where}url`, urlPolicy) };
  const r2 = reference.r2!;
  const name = typeof r2 === 'string' ? buckets[0]?.name : r2.bucket;
  const key = typeof r2 === 'string' ? r2 : r2.key;
  const bucket = buckets.find((each) => each.name === name);
  if (bucket === undefined || !bucket.prefixes.some((prefix) => key.startsWith(prefix))) {
    throw new RequestError('invalid_body', `${where}r2: this bucket or prefix is not one that images are read from`, {
      details: { field: `${where}r2` },
    });
  }
  return { bucket: bucket.name, key, etag: null };
}

/** A URL that may be requested, normalized. @throws FetchError `url_not_allowed`, naming the member. */
export function judgeMember(text: string, member: string, urlPolicy: UrlPolicy): string {
  try {
    return judgeUrl(text, urlPolicy).href;
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    throw new FetchError('url_not_allowed', `${member}: ${error.message}`, {
      details: { ...error.details, field: member },
    });
  }
}
