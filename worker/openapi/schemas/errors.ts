/** Bodies of errors, by dialect. */
import * as z from 'zod';

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
