/**
 * The manifest: what a published version is, with the hash of every byte of it. Pure, no I/O.
 */
import * as z from 'zod';
import { ModelError } from '../worker/errors.ts';
import { type FunctionToApply, functionToApply } from './bit-config.ts';
import { NAME_PATTERN } from './layout.ts';

const name = z.string().regex(NAME_PATTERN);
const count = z.int().nonnegative();

/** One file of a version: its path below the version's prefix, its size in bytes, its SHA-256 in hex. */
export const fileReferenceSchema = z.strictObject({
  path: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/),
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type FileReference = z.infer<typeof fileReferenceSchema>;

/** A graph input or output. A dimension is a number, or a name where it is free (`batch`). */
export const tensorSpecificationSchema = z.strictObject({
  name: z.string().min(1),
  dtype: z.enum(['float32', 'float16', 'uint8']),
  shape: z.array(z.union([count, z.string()])),
});
export type TensorSpecification = z.infer<typeof tensorSpecificationSchema>;

/** The kinds of file that one import makes: `int8` and `fp32` for WASM, `gpu` for the GPU backend. */
export const variantNameSchema = z.enum(['int8', 'fp32', 'gpu']);
export type VariantName = z.infer<typeof variantNameSchema>;

/** One deployable graph of a version. */
export const variantSchema = z.strictObject({
  model: fileReferenceSchema,
  /** External data of `model`; the graph names it by `path`. Null where the weights lie inside the graph. */
  weights: fileReferenceSchema.nullable(),
  inputs: z.array(tensorSpecificationSchema).min(1),
  /** Any subset may be fetched in one run: `logits`, `pooler_output`, `last_hidden_state`, `stage1` ... */
  outputs: z.array(tensorSpecificationSchema).min(1),
  /** Multiply-accumulates of one image. */
  macs: count,
  parameters: count,
  /** Peak of onnxruntime-web's WASM heap with one image, in bytes, measured at import. Null where it was not measured. */
  wasm_heap_bytes: count.nullable(),
});
export type Variant = z.infer<typeof variantSchema>;

/** A published version. Written last, never changed. */
export const manifestSchema = z.strictObject({
  schema_version: z.literal(1),
  name,
  version: name,
  /** RFC 3339. */
  created_at: z.string().min(1),
  source: z.strictObject({
    kind: z.enum(['huggingface', 'timm', 'google']),
    /** Where the checkpoint came from, as the user named it. */
    reference: z.string(),
    /** SHA-256 of the checkpoint's weights file. */
    sha256: z.string().nullable(),
  }),
  /** BitConfig in Hugging Face's field names. */
  config: z.record(z.string(), z.json()),
  /** 0 for a network without a head. */
  num_labels: count,
  /** What makes scores of the logits where a request does not say; see `manifestFunction` for versions without it. */
  function_to_apply: z.enum(['softmax', 'sigmoid', 'none']).optional(),
  /** JSON array of `num_labels` strings. */
  labels: fileReferenceSchema,
  /** BitImageProcessor's options in Hugging Face's field names. */
  preprocessor: fileReferenceSchema,
  report: fileReferenceSchema.nullable(),
  /** Files for people, which no reader needs: the report as a page (report.md) and its plot (report.svg). */
  attachments: z.array(fileReferenceSchema).default([]),
  variants: z.partialRecord(variantNameSchema, variantSchema),
  /** The variant a worker loads. `gpu`: none; the version is for GPU backends alone. */
  default_variant: variantNameSchema,
});
export type Manifest = z.infer<typeof manifestSchema>;

/** What makes scores of a version's logits where a request does not say; older versions did not record it. */
export function manifestFunction(manifest: Manifest): FunctionToApply {
  const { function_to_apply: stated, num_labels: numLabels, config } = manifest;
  const problemType = config.problem_type === 'multi_label_classification' ? config.problem_type : null;
  return stated ?? functionToApply({ problemType, numLabels });
}

/** What an alias object holds. */
export const aliasRecordSchema = z.strictObject({
  version: name,
  /** RFC 3339. */
  updated_at: z.string(),
  /** The versions it named before, oldest first; rollback goes back along it. */
  history: z.array(name).default([]),
});
export type AliasRecord = z.infer<typeof aliasRecordSchema>;

/**
 * Parses and checks a manifest.
 * @throws ModelError `invalid_manifest`, naming the first field that is wrong.
 */
export function parseManifest(text: string): Manifest {
  const manifest = parseStored(manifestSchema, text, 'manifest');
  if (manifest.variants[manifest.default_variant] === undefined) {
    throw new ModelError(
      'invalid_manifest',
      `manifest: default_variant "${manifest.default_variant}" is not in variants`,
    );
  }
  return manifest;
}

/**
 * Parses and checks an alias object.
 * @throws ModelError `invalid_manifest`.
 */
export function parseAlias(text: string): AliasRecord {
  return parseStored(aliasRecordSchema, text, 'alias');
}

function parseStored<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ModelError('invalid_manifest', `${what}: not JSON (${text.length} characters)`, { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new ModelError('invalid_manifest', `${what}: ${issue.path.join('.') || 'value'}: ${issue.message}`);
  }
  return result.data;
}
