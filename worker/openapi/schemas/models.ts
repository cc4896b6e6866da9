/** Answers of the model routes. */
import * as z from 'zod';
import { count, version } from './common.ts';

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
  function_to_apply: z.enum(['softmax', 'sigmoid', 'none']),
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

/** `GET /v1/models/{model}/preprocessor`: BitImageProcessor's options in Hugging Face's field names. */
export const preprocessorSchema = z.strictObject({ preprocessor: z.record(z.string(), z.json()) });

/** `GET /v1/models/{model}/report`: report.json of an import; docs/model-store.md has its members. */
export const reportSchema = z.looseObject({ schema_version: z.literal(1), name: z.string(), version: z.string() });

/** `GET /v1/models/{name}/aliases`. */
export const aliasListSchema = z.strictObject({
  aliases: z.array(
    z.strictObject({
      alias: z.string(),
      version: z.string(),
      updated_at: z.string(),
      /** The versions it named before, oldest first: a rollback goes back along it. */
      history: z.array(z.string()),
    }),
  ),
});

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
