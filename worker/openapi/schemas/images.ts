/** Answers of the image routes. */
import * as z from 'zod';
import { count, version } from './common.ts';
import { problemSchema } from './errors.ts';

const timing = z.strictObject({
  decode_ms: z.number().positive().optional(),
  preprocess_ms: z.number().positive().optional(),
  inference_ms: z.number().positive().optional(),
});

const image = z.strictObject({
  format: z.string(),
  width: z.int().positive(),
  height: z.int().positive(),
  /** The platform made a PNG of it: AVIF and HEIC, where Cloudflare Images is bound. */
  transcoded: z.literal(true).optional(),
});

const floats = z.union([z.array(z.number()), z.string()]);

/** One image's answer, or for a list the answers in its order, a failed one as its problem. */
function oneOrMany<T extends z.ZodType>(one: T) {
  const failed = z.strictObject({ error: problemSchema });
  return z.union([one, z.strictObject({ results: z.array(z.union([one, failed])) })]);
}

/** `POST /v1/classify`. */
export const classificationSchema = oneOrMany(
  z.strictObject({
    model: version,
    predictions: z.array(z.strictObject({ label: z.string(), score: z.number(), index: count })),
    image,
    timing,
  }),
);

/** `POST /v1/class-activation`: logit = bias + mean of the map, `[height, width]`. */
export const classActivationSchema = oneOrMany(
  z.strictObject({
    model: version,
    label: z.string(),
    index: count,
    logit: z.number(),
    bias: z.number(),
    map: z.strictObject({ shape: z.array(count), data: floats }),
    image,
    timing,
  }),
);

/** `POST /v1/embed`. */
export const embeddingSchema = oneOrMany(
  z.strictObject({ model: version, embedding: floats, dimensions: count, image, timing }),
);

/** `POST /v1/features`. */
export const featuresSchema = oneOrMany(
  z.strictObject({
    model: version,
    features: z.array(z.strictObject({ name: z.string(), shape: z.array(count), data: floats })),
    image,
    timing,
  }),
);
