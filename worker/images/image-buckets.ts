/** The buckets that images are read from: member `buckets` of the variable `MODERATION`. Pure. */
import * as z from 'zod';
import { readJson, type Variables } from '../variables.ts';

const bucketSchema = z.strictObject({
  name: z.string().min(1).max(63),
  binding: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be a binding of the worker: A-Z 0-9 _'),
  /** Keys that requests may name begin with one of these. */
  prefixes: z.array(z.string().max(200)).min(1),
});

/** Default: `uploads/` of the bucket that wrangler.toml binds as `UPLOADS`. */
export const imageBucketsSchema = z
  .array(bucketSchema)
  .max(16)
  .default(() => [{ name: 'uploads', binding: 'UPLOADS', prefixes: ['uploads/'] }]);

/** A bucket that images may be read from. */
export type ImageBucket = z.infer<typeof bucketSchema>;

/** Reads the buckets. @throws ConfigurationError naming the variable and the field. */
export function readImageBuckets(variables: Variables): readonly ImageBucket[] {
  return readJson(variables, 'MODERATION', z.object({ buckets: imageBucketsSchema })).buckets;
}
