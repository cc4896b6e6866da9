/** Open Inference Protocol's bodies, as JSON. */
import * as z from 'zod';
import { count } from './common.ts';

const tensor = z.looseObject({ name: z.string(), shape: z.array(count), datatype: z.string() });

/** What `POST /v2/models/{model}/infer` takes. */
export const inferRequestSchema = z.looseObject({
  id: z.string().optional(),
  inputs: z.array(tensor).min(1),
  outputs: z.array(z.looseObject({ name: z.string().min(1) })).optional(),
});

/** What it answers. */
export const inferResponseSchema = z.looseObject({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  outputs: z.array(tensor),
});

/** `GET /v2/health/live`. */
export const liveSchema = z.strictObject({ live: z.literal(true) });

/** `GET /v2/health/ready`. */
export const oipReadySchema = z.strictObject({ ready: z.literal(true) });

/** `GET /v2/models/{model}/ready`. */
export const modelReadySchema = z.strictObject({ name: z.string(), ready: z.literal(true) });
