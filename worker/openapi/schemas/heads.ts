/** Answers of the routes of heads. */
import * as z from 'zod';
import { headVersionSchema } from '../../heads/layout.ts';
import { FEATURE_KINDS } from '../../heads/math/features.ts';
import { METHODS } from '../../heads/math/train.ts';
import { PROMOTIONS } from '../../heads/records.ts';
import { count, nextCursor, time, version } from './common.ts';

const failure = z.strictObject({ code: z.string(), message: z.string() }).nullable();
const examples = z.strictObject({ pending: count, ready: count, failed: count });
const state = z.enum(['empty', 'embedding', 'stale', 'ready', 'failed']);
const share = z.number().min(0).max(1);

/** A head: what it is taught with, and what came of it. */
export const headSchema = z.strictObject({
  name: z.string(),
  /** The API key that made it. */
  owner: z.string(),
  /** `stale`: its examples changed, and the next version is on its way. */
  state,
  backbone: version,
  dimensions: count,
  multi_label: z.boolean(),
  keep_pictures: z.boolean(),
  training: z.strictObject({
    method: z.enum(METHODS),
    features: z.enum(FEATURE_KINDS),
    lambda: z.number().nullable(),
    c: z.number().nullable(),
    balanced: z.boolean(),
    unknown: z.number().nullable(),
  }),
  promote: z.enum(PROMOTIONS),
  promote_margin: share,
  examples,
  classes: z.array(z.strictObject({ label: z.string(), examples: count })),
  /** Versions by alias. */
  aliases: z.record(z.string(), z.string()),
  /** Newest first. */
  versions: z.array(headVersionSchema),
  /** API keys that may use it too. */
  grants: z.array(z.string()),
  /** Why the last training failed. */
  error: failure,
  created_at: time,
  links: z.strictObject({ self: z.string(), examples: z.string(), report: z.string(), events: z.string() }),
});

/** `GET /v1/heads/{head}`: with the version that was asked for. */
export const headOrVersionSchema = z.union([
  headSchema,
  z.strictObject({ ...headSchema.shape, version: headVersionSchema }),
]);

/** `GET /v1/heads`. */
export const headListSchema = z.strictObject({
  heads: z.array(
    z.strictObject({
      name: z.string(),
      owner: z.string(),
      own: z.boolean(),
      created_at: z.string(),
      latest: headVersionSchema.nullable(),
      versions: count,
    }),
  ),
});

/** `DELETE /v1/heads/{head}`. */
export const headDeletedSchema = z.strictObject({ name: z.string(), deleted: z.array(z.string()) });

/** `PUT`, `DELETE` and rollback of an alias. */
export const headAliasMoveSchema = z.strictObject({
  name: z.string(),
  alias: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
});

const source = z.union([
  z.strictObject({ kind: z.literal('upload'), name: z.string().nullable() }),
  z.strictObject({ kind: z.literal('url'), url: z.string() }),
  z.strictObject({ kind: z.literal('r2'), bucket: z.string(), key: z.string() }),
  z.strictObject({ kind: z.literal('embedding') }),
]);

/** One example. */
export const exampleSchema = z.strictObject({
  id: z.string(),
  labels: z.array(z.string()),
  sha256: z.string(),
  source,
  state: z.enum(['pending', 'ready', 'failed']),
  error: failure,
  created_at: time,
});

/** `GET /v1/heads/{head}/examples`. */
export const exampleListSchema = z.strictObject({ examples: z.array(exampleSchema), next_cursor: nextCursor });

/** `POST /v1/heads/{head}/examples`. */
export const examplesAddedSchema = z.strictObject({
  added: count,
  /** Those that were there already. */
  known: count,
  ids: z.array(z.string()),
  state,
  examples,
});

/** `DELETE` of examples. */
export const examplesDeletedSchema = z.strictObject({ deleted: count });

const interval = z.strictObject({ value: share, low: share, high: share, count, of: count });

/** `GET /v1/heads/{head}/report`. */
export const headReportSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  backbone: z.string(),
  examples: count,
  dimensions: count,
  method: z.string(),
  features: z.string(),
  multi_label: z.boolean(),
  regularization: z
    .strictObject({
      name: z.enum(['lambda', 'c']),
      value: z.number(),
      tried: z.array(z.strictObject({ value: z.number(), error: z.number() })),
    })
    .nullable(),
  validation: z.strictObject({ kind: z.enum(['leave_one_out', 'k_fold']), folds: count, estimated: count }),
  accuracy: interval.nullable(),
  classes: z.array(
    z.strictObject({
      label: z.string(),
      examples: count,
      precision: share.nullable(),
      recall: share.nullable(),
      f1: share.nullable(),
    }),
  ),
  confusion: z.array(z.strictObject({ label: z.string(), predicted: z.string(), count })).nullable(),
  suspects: z.array(
    z.strictObject({ example: z.string(), label: z.string(), predicted: z.string(), loss: z.number() }),
  ),
  duplicates: z.array(
    z.strictObject({ examples: z.array(z.string()), labels: z.array(z.string()), cosine: z.number() }),
  ),
  calibration: z
    .strictObject({
      temperature: z.number(),
      ece: share,
      log_loss: z.number(),
      bins: z.array(z.strictObject({ from: share, to: share, count, confidence: share, accuracy: share })),
    })
    .nullable(),
  learning_curve: z
    .strictObject({
      method: z.enum(['ridge', 'nearest_mean']),
      points: z.array(z.strictObject({ examples_per_class: count, accuracy: share, draws: count, tested: count })),
    })
    .nullable(),
  unknown: z.strictObject({ target_rate: share, rate: share, threshold: z.number(), examples: count }).nullable(),
});
