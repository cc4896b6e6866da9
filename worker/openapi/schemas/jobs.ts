/** Bulk jobs. */
import * as z from 'zod';

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

/** `GET /v1/jobs`. */
export const jobListSchema = z.strictObject({
  jobs: z.array(z.looseObject({ id: z.string(), state: z.string() })),
  next_cursor: z.string().nullable(),
});
