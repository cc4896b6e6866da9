/** Schemas of answers: what routes promise. Tests hold real answers against them. */
import * as z from 'zod';

const count = z.int().nonnegative();
const version = z.strictObject({ name: z.string(), version: z.string() });
const timing = z.strictObject({
  decode_ms: z.number().positive().optional(),
  preprocess_ms: z.number().positive().optional(),
  inference_ms: z.number().positive().optional(),
});
const image = z.strictObject({ format: z.string(), width: z.int().positive(), height: z.int().positive() });
const floats = z.union([z.array(z.number()), z.string()]);

/** RFC 9457, with `code`, `request_id` and the numbers involved. */
export const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  code: z.string(),
  request_id: z.string(),
});

/** Hugging Face's error body. */
export const hfErrorSchema = z.strictObject({ error: z.string(), estimated_time: z.number().optional() });

/** Open Inference Protocol's error body. */
export const oipErrorSchema = z.strictObject({ error: z.string() });

/** Workers AI's error body. */
export const workersAiErrorSchema = z.strictObject({
  result: z.null(),
  success: z.literal(false),
  errors: z.array(z.strictObject({ code: z.int(), message: z.string() })).min(1),
  messages: z.array(z.string()),
});

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

const tensorSpecification = z.strictObject({
  name: z.string(),
  dtype: z.string(),
  shape: z.array(z.union([count, z.string()])),
});

/** `GET /v1/models`. */
export const modelListSchema = z.strictObject({
  default: version,
  models: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      aliases: z.array(z.string()),
      created_at: z.string().nullable(),
      bytes: count,
      variants: z.array(z.string()),
      loaded: z.boolean(),
    }),
  ),
});

/** `GET /v1/models/{model}`. */
export const modelSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  aliases: z.array(z.string()),
  created_at: z.string(),
  source: z.strictObject({ kind: z.string(), reference: z.string(), sha256: z.string().nullable() }),
  config: z.looseObject({}),
  num_labels: count,
  labels: z.string(),
  default_variant: z.string(),
  variants: z.array(
    z.strictObject({
      name: z.string(),
      bytes: count,
      inputs: z.array(tensorSpecification),
      outputs: z.array(tensorSpecification),
      macs: count,
      parameters: count,
      wasm_heap_bytes: count.nullable(),
    }),
  ),
  loaded: z.boolean(),
});

/** `GET /v1/models/{model}/labels`. */
export const labelsSchema = z.strictObject({ labels: z.array(z.string()) });

/** `PUT` and `DELETE /v1/models/{name}/aliases/{alias}`. */
export const aliasMoveSchema = z.strictObject({
  name: z.string(),
  alias: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
});

/** `POST /v1/models/{model}/warm`. */
export const warmSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  loaded: z.literal(true),
  heap_bytes: count,
});

/** `GET /healthz` and `/readyz`. */
export const healthSchema = z.strictObject({ status: z.literal('ok') });
export const readySchema = z.strictObject({ status: z.literal('ready'), model: version });

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

/** Lists of decisions, events and endpoints. */
export const decisionListSchema = z.strictObject({
  decisions: z.array(decisionSchema),
  next_cursor: z.string().nullable(),
});
export const eventSchema = z.looseObject({ id: z.string(), state: z.string(), accepted_at: z.string() });
export const eventListSchema = z.strictObject({ events: z.array(eventSchema), next_cursor: z.string().nullable() });
export const endpointListSchema = z.strictObject({
  endpoints: z.array(z.looseObject({ source: z.string(), url: z.string(), state: z.string() })),
});
export const statsSchema = z.strictObject({ sources: z.record(z.string(), z.looseObject({})) });
export const acceptedWebhookSchema = z.strictObject({
  message_id: z.string(),
  events: z.array(z.strictObject({ id: z.string(), item_id: z.string() })),
});
export const replayedEventSchema = z.strictObject({ id: z.string(), status: z.literal('replayed') });
export const replayedSchema = z.strictObject({ replayed: count });
export const enabledSchema = z.strictObject({ source: z.string(), url: z.string(), state: z.literal('enabled') });

/** A bulk job. */
export const jobSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  task: z.string(),
  model: z.looseObject({ name: z.string() }),
  counts: z.looseObject({}),
  created_at: z.string(),
  finished_at: z.string().nullable(),
  links: z.looseObject({ self: z.string() }),
});
export const jobListSchema = z.strictObject({
  jobs: z.array(z.looseObject({ id: z.string(), state: z.string() })),
  next_cursor: z.string().nullable(),
});

const labelScores = z.array(z.strictObject({ label: z.string(), score: z.number() }));

/** Hugging Face's answers. */
export const hfClassificationSchema = z.union([labelScores, z.array(labelScores)]);
export const hfFeaturesSchema = z.array(z.array(z.number()));

/** Workers AI's answer. */
export const workersAiSchema = z.strictObject({
  result: labelScores,
  success: z.literal(true),
  errors: z.array(z.never()),
  messages: z.array(z.never()),
});

const tensor = z.looseObject({ name: z.string(), shape: z.array(count), datatype: z.string() });

/** Open Inference Protocol's bodies, as JSON. */
export const inferRequestSchema = z.looseObject({
  id: z.string().optional(),
  inputs: z.array(tensor).min(1),
  outputs: z.array(z.looseObject({ name: z.string().min(1) })).optional(),
});
export const inferResponseSchema = z.looseObject({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  outputs: z.array(tensor),
});
export const liveSchema = z.strictObject({ live: z.literal(true) });
export const oipReadySchema = z.strictObject({ ready: z.literal(true) });
export const modelReadySchema = z.strictObject({ name: z.string(), ready: z.literal(true) });
