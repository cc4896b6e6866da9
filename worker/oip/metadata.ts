/**
 * What a server and its models say about themselves in Open Inference Protocol v2, and Triton's model configuration,
 * which alone names the largest batch. Pure.
 * Source: Open Inference Protocol, "Server Metadata", "Model Metadata"; Triton, "Model Configuration Extension".
 */
import * as z from 'zod';
import { RequestError } from '../errors.ts';
import { parametersSchema } from './message.ts';

/** `GET /v2`. */
export const serverMetadataSchema = z.object({
  name: z.string(),
  version: z.string(),
  extensions: z.array(z.string()).default([]),
  /** Ours: accelerator and provider. */
  parameters: parametersSchema.optional(),
});
export type ServerMetadata = z.infer<typeof serverMetadataSchema>;

/** An input or output of a model; a dimension that varies is -1. */
export const tensorMetadataSchema = z.object({
  name: z.string().min(1),
  datatype: z.string(),
  shape: z.array(z.int().min(-1)),
});
export type TensorMetadata = z.infer<typeof tensorMetadataSchema>;

/** `GET /v2/models/{model}[/versions/{version}]`. */
export const modelMetadataSchema = z.object({
  name: z.string(),
  versions: z.array(z.string()).optional(),
  platform: z.string(),
  inputs: z.array(tensorMetadataSchema),
  outputs: z.array(tensorMetadataSchema),
  /** Ours: provider, largest batch, default version. */
  parameters: parametersSchema.optional(),
});
export type ModelMetadata = z.infer<typeof modelMetadataSchema>;

/** `GET /v2/models/{model}[/versions/{version}]/config`: the part we use. */
export const modelConfigSchema = z.object({
  /** Most rows of one request; 0 where the first dimension is no batch. */
  max_batch_size: z.int().nonnegative(),
});
export type ModelConfig = z.infer<typeof modelConfigSchema>;

/**
 * Parses one of the JSON bodies above.
 * @throws RequestError `invalid_body`, naming the body and the first field that is wrong.
 */
export function parseMetadata<T>(what: string, schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RequestError('invalid_body', `${what}: not JSON (${text.length} characters)`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new RequestError('invalid_body', `${what}: ${issue.path.join('.') || 'value'}: ${issue.message}`);
}
