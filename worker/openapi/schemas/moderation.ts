/** Verdicts, and the log of them. */
import * as z from 'zod';
import { REVIEW_STATES } from '../../moderation/ledger/records.ts';
import { MAX_LABELS_PER_CATEGORY } from '../../moderation/policy/evaluate.ts';
import { ACTIONS } from '../../moderation/policy/schema.ts';
import type { Decision, OpenAiResponse, RekognitionResponse } from '../../moderation/verdict-shapes.ts';
import { nextCursor, time, version } from './common.ts';

/** 0 to 1. */
const score = z.number().min(0).max(1);

/** What became of an image, or of a category. */
export const action = z.enum(ACTIONS);

/** `dec_`, the source and 32 hex digits. */
export const decisionId = z.string().regex(/^dec_[a-z0-9][a-z0-9-]{0,31}_[0-9a-f]{32}$/);

/** `evt_`, the source and 32 hex digits. */
export const eventId = z.string().regex(/^evt_[a-z0-9][a-z0-9-]{0,31}_[0-9a-f]{32}$/);

const category = z.strictObject({
  name: z.string(),
  score,
  threshold: z.number().gt(0).max(1),
  action,
  labels: z
    .array(z.strictObject({ label: z.string(), head: z.string().exactOptional(), score }))
    .max(MAX_LABELS_PER_CATEGORY),
  overridden_by: z.string().exactOptional(),
});

/** A decision of the moderation service; with `error` where the image could not be judged. */
export const decisionSchema = z.strictObject({
  id: decisionId,
  decided_at: time,
  verdict: action,
  reason: z.string().nullable(),
  categories: z.array(category),
  policy: version,
  model: version.nullable(),
  /** The policy's heads, if it has any. */
  heads: z.array(version).exactOptional(),
  image_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  error: z.strictObject({ code: z.string(), message: z.string() }).exactOptional(),
}) satisfies z.ZodType<Decision>;

/** `POST /v1/moderate?format=rekognition`. */
const rekognitionSchema = z.strictObject({
  ModerationLabels: z.array(
    z.strictObject({
      Confidence: z.number().min(0).max(100),
      Name: z.string(),
      ParentName: z.string(),
      TaxonomyLevel: z.int().min(1).max(2),
    }),
  ),
  ModerationModelVersion: z.string(),
  ContentTypes: z.array(z.never()),
}) satisfies z.ZodType<RekognitionResponse>;

/** `POST /v1/moderate?format=openai`. */
const openAiSchema = z.strictObject({
  id: z.string(),
  model: z.string(),
  results: z
    .array(
      z.strictObject({
        flagged: z.boolean(),
        categories: z.record(z.string(), z.boolean()),
        category_scores: z.record(z.string(), score),
        category_applied_input_types: z.record(z.string(), z.tuple([z.literal('image')])),
      }),
    )
    .length(1),
}) satisfies z.ZodType<OpenAiResponse>;

/** `POST /v1/moderate`: ours, Rekognition's or OpenAI's shape. */
export const moderationSchema = z.union([decisionSchema, rekognitionSchema, openAiSchema]);

/** `GET /v1/decisions/{id}`: a decision, where it came from and whose image it was about. */
export const loggedDecisionSchema = z.strictObject({
  ...decisionSchema.shape,
  source: z.string(),
  /** Null where the caller gave the image no name. */
  item_id: z.string().nullable(),
  /** Null where no webhook and no upload asked for it. */
  event_id: eventId.nullable(),
});

/** A review: `GET /v1/reviews/{id}`, and what acting on one answers. */
export const reviewSchema = z.strictObject({
  id: decisionId,
  source: z.string(),
  item_id: z.string().nullable(),
  event_id: eventId.nullable(),
  state: z.enum(REVIEW_STATES),
  /** Who holds it now, or who answered. */
  reviewer: z.strictObject({ key: z.string(), name: z.string().nullable() }).nullable(),
  claim_expires_at: time.nullable(),
  reviewed_at: time.nullable(),
  note: z.string().nullable(),
  /** The event whose delivery carries the answer; null where nobody is called back. */
  callback_event_id: eventId.nullable(),
  /** Whether `GET /v1/reviews/{id}/image` can give its image. */
  has_image: z.boolean(),
  /** What the person said, as a label of the image; null until then. */
  label: z.enum(['allow', 'block']).nullable(),
  /** From the decision to the answer, or to now. */
  age_s: z.int().nonnegative(),
  decision: decisionSchema,
});

/** `GET /v1/reviews`. */
export const reviewListSchema = z.strictObject({ reviews: z.array(reviewSchema), next_cursor: nextCursor });

/** `POST /v1/reviews/next`. */
export const claimedReviewSchema = z.strictObject({ review: reviewSchema.nullable() });

/** `GET /v1/decisions`. */
export const decisionListSchema = z.strictObject({
  decisions: z.array(loggedDecisionSchema),
  next_cursor: nextCursor,
});

/** `POST /v1/policies`. */
export const publishedPolicySchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  alias: z.string().nullable(),
  /** True where the same version with the same content was there before. */
  already_published: z.boolean(),
  /** What the alias named before; null where it is new, or was not moved. */
  moved_from: z.string().nullable(),
});
