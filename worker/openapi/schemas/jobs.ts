/** Bulk jobs. */
import * as z from 'zod';
import { JOB_STATES, JOB_TASKS, type JobCounts } from '../../jobs/records.ts';
import { count, nextCursor, time, version } from './common.ts';

/** `job_` and 32 hex digits. */
const id = z.string().regex(/^job_[0-9a-f]{32}$/);
const state = z.enum(JOB_STATES);
const task = z.enum(JOB_TASKS);

/** Of `classify`, `embed` and `moderate`, with the defaults filled in. */
const parameters = z.union([
  z.strictObject({
    top_k: z.int().positive(),
    function_to_apply: z.enum(['softmax', 'sigmoid', 'none']).optional(),
    exact: z.boolean(),
  }),
  z.strictObject({ exact: z.boolean() }),
  z.strictObject({ policy: z.string() }),
]);

/** A bulk job: `GET /v1/jobs/{id}`, and what starting and cancelling one answers. */
export const jobSchema = z.strictObject({
  id,
  state,
  task,
  model: version,
  parameters,
  counts: z.strictObject({
    total: count,
    pending: count,
    succeeded: count,
    failed: count,
    cancelled: count,
  }) satisfies z.ZodType<JobCounts>,
  /** False while inputs are still being read: `counts.total` grows. */
  total_is_final: z.boolean(),
  /** Over the last minute; null where nothing was finished in it. */
  items_per_s: z.number().min(0).nullable(),
  /** Null where nobody can tell, and once it has ended. */
  eta_s: count.nullable(),
  created_at: time,
  finished_at: time.nullable(),
  expires_at: time.nullable(),
  links: z.strictObject({ self: z.string(), results: z.string(), events: z.string() }),
});

/** `POST /v1/jobs/{id}/retry`: how many items are pending again, and the job. */
export const retriedJobSchema = z.strictObject({ retried: count, ...jobSchema.shape });

/** `GET /v1/jobs`; `model` is `name@version`. */
export const jobListSchema = z.strictObject({
  jobs: z.array(z.strictObject({ id, created_at: time, task, model: z.string(), state })),
  next_cursor: nextCursor,
});
