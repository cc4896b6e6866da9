/** Verdicts, and the log of them. */
import * as z from 'zod';
import { version } from './common.ts';

/** A decision of the moderation service. */
export const decisionSchema = z.looseObject({
  id: z.string(),
  decided_at: z.string(),
  verdict: z.string(),
  reason: z.string().nullable(),
  categories: z.array(z.looseObject({ name: z.string(), score: z.number(), action: z.string() })),
  policy: version,
  model: version.nullable(),
  image_sha256: z.string().nullable(),
});

/** `POST /v1/moderate`: ours, Rekognition's or OpenAI's shape. */
export const moderationSchema = z.union([
  decisionSchema,
  z.looseObject({ ModerationLabels: z.array(z.looseObject({ Name: z.string(), Confidence: z.number() })) }),
  z.looseObject({ results: z.array(z.looseObject({ flagged: z.boolean() })) }),
]);

/** `GET /v1/decisions`. */
export const decisionListSchema = z.strictObject({
  decisions: z.array(decisionSchema),
  next_cursor: z.string().nullable(),
});
