/** What one operation of the API is: the row from which the document, the docs page and generated requests are made. */
import type * as z from 'zod';
import type { Scope } from '../auth/api-key.ts';
import type { ErrorCode } from '../errors.ts';

/** Bodies by media type: a schema, or `binary` for bytes. */
export type Content = Readonly<Record<string, z.ZodType | 'binary' | 'text'>>;

/** A body of JSON. */
export const json = (schema: z.ZodType): Content => ({ 'application/json': schema });

/** The groups of operations, in the order of the document. */
export const TAGS = {
  Inference: 'Images in, labels, embeddings or feature maps out',
  Models: 'Published versions and their aliases',
  Heads: 'Classifiers that are taught by example',
  Jobs: 'Bulk work, delegated to a GPU',
  Work: 'Chunks of bulk jobs, for GPU workers that pull them',
  Moderation: 'Verdicts under a policy, webhooks and their deliveries',
  'Hugging Face': 'The task contract of Hugging Face, for its clients',
  'Workers AI': "The shape of Cloudflare Workers AI's REST API",
  'Open Inference Protocol': 'KServe and Triton clients, JSON and binary tensors',
  Operations: 'Health, metrics and this document',
} as const;

/** One of `TAGS`. */
export type Tag = keyof typeof TAGS;

/** One operation. */
export interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As Hono spells it: `/v1/models/:model`. */
  readonly path: string;
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  /** Of the API key; null where none is needed. */
  readonly scope: Scope | null;
  readonly query?: z.ZodObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Content;
  readonly status: number;
  /** Another status with the same answer: 202 where the rest is done behind it. */
  readonly otherStatus?: number;
  readonly answer: Content;
  readonly codes: readonly ErrorCode[];
}

/** Codes that travel together. */
export const PARAMETER_CODES = ['invalid_parameter', 'unknown_parameter'] as const;
export const BODY_CODES = [
  'empty_body',
  'body_too_large',
  'body_timeout',
  'unsupported_media_type',
  'invalid_body',
  'too_many_uploads',
] as const;
export const KEY_CODES = ['unauthorized', 'forbidden', 'rate_limited', 'auth_not_configured'] as const;
export const MODEL_CODES = [
  'model_not_found',
  'model_unavailable',
  'model_corrupt',
  'model_too_large',
  'model_failed',
  'invalid_model_config',
  'invalid_manifest',
] as const;
export const RUNTIME_CODES = ['overloaded', 'memory_budget_exceeded', 'inference_failed', 'client_gone'] as const;
export const IMAGE_CODES = [
  'missing_image',
  'too_many_images',
  'unrecognized_image',
  'unsupported_image_format',
  'unsupported_image_feature',
  'truncated_image',
  'corrupt_image',
  'image_too_large',
  'image_memory_exceeded',
] as const;
export const FETCH_CODES = ['url_not_allowed', 'fetch_failed', 'fetch_timeout', 'object_not_found'] as const;

/** Of every route that names a model and runs nothing. */
export const LOOKUP_CODES = [...PARAMETER_CODES, ...MODEL_CODES] as const;

/** Of every route that takes parameters and needs a key. */
export const KEYED_CODES = [...PARAMETER_CODES, ...KEY_CODES] as const;

/** Of every route that takes an image and answers with a model. */
export const INFERENCE_CODES = [
  ...PARAMETER_CODES,
  ...BODY_CODES,
  ...KEY_CODES,
  ...IMAGE_CODES,
  ...FETCH_CODES,
  ...MODEL_CODES,
  ...RUNTIME_CODES,
] as const;
