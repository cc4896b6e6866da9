/**
 * A moderation policy as data: which labels feed which category, and what a category's score leads to. Pure, no I/O.
 */
import * as z from 'zod';
import { NAME_PATTERN } from '../../../model-store/layout.ts';

/** What may become of an image, least severe first. */
export const ACTIONS = ['allow', 'review', 'block'] as const;

/** `allow`, `review` or `block`. */
export type Action = (typeof ACTIONS)[number];

/** The more severe of two actions. */
export function moreSevere(a: Action, b: Action): Action {
  return ACTIONS.indexOf(a) >= ACTIONS.indexOf(b) ? a : b;
}

const name = z.string().regex(NAME_PATTERN, '1 to 64 of a-z 0-9 . _ -');

/** `weapons` or, below a parent, `violence/weapons`. */
const categoryName = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9_-]*(\/[a-z0-9][a-z0-9_-]*)?$/, 'a-z 0-9 _ -, with at most one /');

const label = z.string().min(1).max(300);
const score = z.number().gt(0, 'must be above 0').lte(1, 'must be at most 1');

/** Scores from which an action is taken; `review` below `block`. */
const thresholds = z
  .strictObject({ review: score.optional(), block: score.optional() })
  .refine(({ review, block }) => review !== undefined || block !== undefined, 'names neither review nor block')
  .refine(
    ({ review, block }) => review === undefined || block === undefined || review < block,
    'review must be below block',
  );

/** `max`: the strongest source counts. `sum`: the sources are added, 1 at most. */
const combine = z.enum(['max', 'sum']);

/** A direction in embedding space. */
const prototype = z.strictObject({
  name: label,
  /** base64 of little-endian float32, as many as the model's embedding has. */
  vector: z.base64().max(65_536),
});

/** Labels of heads, by the name of the head. */
const headLabels = z
  .record(name, z.array(label).min(1).max(1000))
  .refine((heads) => Object.keys(heads).length > 0, 'names no head');

const category = z.strictObject({
  name: categoryName,
  description: z.string().max(500).optional(),
  labels: z.array(label).max(1000).optional(),
  head_labels: headLabels.optional(),
  /** Names of `label_groups`. */
  groups: z.array(name).max(50).optional(),
  /** Score of one prototype: the cosine of it and the image's embedding, 0 where negative. */
  prototypes: z.array(prototype).max(64).optional(),
  combine: combine.optional(),
  thresholds: thresholds.optional(),
});

/** Something that speaks for an image: seen at `threshold` or above, the categories named are allowed. */
const allowance = z.strictObject({
  labels: z.array(label).max(200).optional(),
  head_labels: headLabels.optional(),
  groups: z.array(name).max(50).optional(),
  threshold: score,
  /** Absent: every category. */
  categories: z.array(categoryName).max(50).optional(),
});

const objectPrefix = z
  .string()
  .min(2)
  .max(200)
  .regex(/^[^/].*\/$/, 'must end in / and not begin with one');

/** What is done with the R2 object, or who is told, besides the callback. Each is idempotent. */
const effect = z.discriminatedUnion('type', [
  /** Moves the object below a prefix of the same bucket. */
  z.strictObject({ type: z.literal('quarantine'), prefix: objectPrefix }),
  /** Writes verdict and decision id into the object's custom metadata. */
  z.strictObject({ type: z.literal('tag') }),
  /** Writes the decision as JSON beside the object. */
  z.strictObject({
    type: z.literal('write_decision'),
    suffix: z
      .string()
      .regex(/^\.[A-Za-z0-9._-]{1,60}$/)
      .default('.moderation.json'),
  }),
  /** Posts the decision to a service binding of the worker. */
  z.strictObject({ type: z.literal('service'), binding: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/) }),
]);
export type Effect = z.infer<typeof effect>;

/** A published policy: `policies/<name>/<version>.json`, never changed. */
export const policySchema = z.strictObject({
  schema_version: z.literal(1),
  name,
  version: name,
  description: z.string().max(2000).optional(),
  /** The model whose labels the policy names, and the alias or version of it that is asked. */
  model: z.strictObject({ name, reference: name.default('latest') }),
  /**
   * Heads on the model's pooled features, which answer from the same pass. `key`: the API key that a head belongs to or is shared
   * with; absent: the key that publishes the policy, or `anonymous`.
   */
  heads: z
    .array(
      z.strictObject({
        name,
        reference: name.default('latest'),
        key: z
          .string()
          .regex(/^([0-9a-f]{16}|anonymous)$/, 'must be the id of an API key')
          .optional(),
      }),
    )
    .max(16)
    .default(() => []),
  /** How the model's own logits become scores; absent: as the model's manifest says. */
  activation: z.enum(['softmax', 'sigmoid']).optional(),
  /** For categories that do not say. */
  defaults: z.strictObject({ combine: combine.optional(), thresholds: thresholds.optional() }).default(() => ({})),
  label_groups: z.record(name, z.array(label).min(1).max(1000)).default(() => ({})),
  /** Most severe first: the first category with the winning action is the decision's reason. */
  categories: z.array(category).min(1).max(50),
  allow_list: z
    .strictObject({
      allowances: z
        .array(allowance)
        .max(50)
        .default(() => []),
      /** SHA-256 of image files that were judged by a person, in hex: always allowed. */
      sha256: z
        .array(z.string().regex(/^[0-9a-f]{64}$/))
        .max(1000)
        .default(() => []),
    })
    .default(() => ({ allowances: [], sha256: [] })),
  /** Verdict on an image that cannot be fetched or decoded. */
  on_error: z.enum(ACTIONS).default('review'),
  effects: z
    .strictObject({
      allow: z
        .array(effect)
        .max(4)
        .default(() => []),
      review: z
        .array(effect)
        .max(4)
        .default(() => []),
      block: z
        .array(effect)
        .max(4)
        .default(() => []),
    })
    .default(() => ({ allow: [], review: [], block: [] })),
});

/** A policy with its defaults filled in. */
export type Policy = z.infer<typeof policySchema>;

/** One head of a policy. */
export type PolicyHead = Policy['heads'][number];

/** One category of a policy. */
export type PolicyCategory = Policy['categories'][number];
