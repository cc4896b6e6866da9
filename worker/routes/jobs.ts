/** `/v1/jobs`: bulk jobs, from acceptance to results. */

import { type Context, Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import * as z from 'zod';
import { openByteSource } from '../../model-store/byte-source.ts';
import { findReceiver } from '../callbacks/callback-settings.ts';
import { RequestError } from '../errors.ts';
import { judgeUrl } from '../fetch/url-policy.ts';
import { r2ReferenceSchema } from '../images/image-location.ts';
import type { NewInputs } from '../jobs/accept-job.ts';
import {
  JOB_TASKS,
  type JobSpecification,
  type JobStatus,
  type JobTask,
  type ManifestFormat,
} from '../jobs/records.ts';
import { resultLines } from '../jobs/result-lines.ts';
import type { StoredStream } from '../jobs/store-stream.ts';
import type { JsonLimits } from '../json-shape.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { withBody, withUpload } from './support/body-lease.ts';
import { parseModelReference, tenantOf } from './support/model-reference.ts';
import {
  classifyParametersSchema,
  embedParametersSchema,
  parseParameters,
  refuseParameters,
} from './support/parameters.ts';
import { type BodyMemory, isJson, mediaTypeOf, readJsonObject } from './support/request-body.ts';

/** How often progress is sent, in ms. */
const PROGRESS_MS = 1000;

/** Largest JSON body of a new job, and the inputs in it; longer lists are manifests. */
const MAX_JSON_BYTES = 8 * 1024 * 1024;
const MAX_JSON_INPUTS = 100_000;

/** A JSON body in memory: its text, what is parsed of it, and the lines that are made of that. */
const COPIES_JSON_JOB = 6;

/** Longest time that a client takes to send a manifest, in ms. */
const MANIFEST_TOTAL_MS = 900_000;

/** An input is at most `{"r2": {"bucket", "key"}, "id"}`: two objects, four names, three values. */
const JSON_LIMITS: JsonLimits = {
  maxDepth: 16,
  maxValues: 1024,
  bulk: { member: 'inputs', maxValues: 10 * MAX_JSON_INPUTS, maxContainers: 2 * MAX_JSON_INPUTS + 1 },
};

/** The JSON body of `POST /v1/jobs`: one of `inputs`, `manifest` and `prefix`. */
export const newJobSchema = z.strictObject({
  task: z.enum(JOB_TASKS).default('classify'),
  model: z.string().optional(),
  parameters: z.record(z.string(), z.json()).default({}),
  inputs: z.array(z.unknown()).min(1).max(MAX_JSON_INPUTS).optional(),
  manifest: z.strictObject({ r2: r2ReferenceSchema, format: z.enum(['ndjson', 'csv']).default('ndjson') }).optional(),
  prefix: z.strictObject({ r2: r2ReferenceSchema }).optional(),
  callback_url: z.string().max(2048).optional(),
});

/** The query of `POST /v1/jobs` where the body is the manifest. */
export const jobQuerySchema = z.strictObject({
  task: z.enum(JOB_TASKS).default('classify'),
  model: z.string().optional(),
  callback_url: z.string().max(2048).optional(),
  top_k: z.string().optional(),
  function_to_apply: z.string().optional(),
  policy: z.string().optional(),
  exact: z.string().optional(),
});

const moderateParametersSchema = z.strictObject({ policy: z.string().max(130).default('default') });

/** `GET /v1/jobs`. */
export const listJobsSchema = z.strictObject({
  cursor: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

/** `GET /v1/jobs/{id}/results`. */
export const resultsSchema = z.strictObject({
  cursor: z
    .string()
    .regex(/^\d{1,9}-\d{1,9}$/, 'must be a cursor of an earlier answer')
    .optional(),
  limit: z.coerce.number().int().min(1).max(100_000).default(10_000),
});

export const jobsRoutes = new Hono<AppEnvironment>()
  .use('/v1/jobs/*', requireScope('jobs'))
  .use('/v1/jobs/:id/*', async function recordJob(c, next) {
    c.var.record.job = c.req.param('id').slice(0, 80);
    await next();
  })
  .post('/v1/jobs', (c) => {
    const mediaType = mediaTypeOf(c.req.raw);
    if (isJson(mediaType)) {
      const use = { reference: null, maxBytes: MAX_JSON_BYTES, copies: COPIES_JSON_JOB };
      return withBody(c, use, async (memory) => create(c, await readJsonJob(c, memory)));
    }
    if (mediaType === 'application/x-ndjson' || mediaType === 'text/csv') {
      const format = mediaType === 'text/csv' ? 'csv' : 'ndjson';
      return withUpload(c, MANIFEST_TOTAL_MS, (stored) => create(c, readManifestJob(c, format, stored)));
    }
    throw new RequestError(
      'unsupported_media_type',
      `content type "${mediaType}" is not accepted; send application/json, application/x-ndjson or text/csv`,
      { details: { content_type: mediaType } },
    );
  })
  .get('/v1/jobs', async (c) => {
    const { cursor, limit } = parseParameters(listJobsSchema, new URL(c.req.url).searchParams, {});
    const page = await c.var.services.jobs.list(tenantOf(c), cursor ?? null, limit);
    return c.json({
      jobs: page.jobs.map(({ id, createdAtMs, task, model, state }) => ({
        id,
        created_at: new Date(createdAtMs).toISOString(),
        task,
        model,
        state,
      })),
      next_cursor: page.cursor,
    });
  })
  .get('/v1/jobs/:id', async (c) => {
    refuseParameters(c.req.url);
    return c.json(toAnswer(await c.var.services.jobs.status(c.req.param('id'), tenantOf(c))));
  })
  .delete('/v1/jobs/:id', async (c) => {
    refuseParameters(c.req.url);
    const { jobs } = c.var.services;
    const id = c.req.param('id');
    await jobs.cancel(id, tenantOf(c));
    return c.json(toAnswer(await jobs.status(id, tenantOf(c))));
  })
  .post('/v1/jobs/:id/retry', async (c) => {
    refuseParameters(c.req.url);
    const { jobs } = c.var.services;
    const id = c.req.param('id');
    const retried = await jobs.retryFailed(id, tenantOf(c));
    return c.json({ retried, ...toAnswer(await jobs.status(id, tenantOf(c))) }, 202);
  })
  .get('/v1/jobs/:id/results', async (c) => {
    const { cursor, limit } = parseParameters(resultsSchema, new URL(c.req.url).searchParams, {});
    const { jobs } = c.var.services;
    const id = c.req.param('id');
    await jobs.status(id, tenantOf(c));
    const page = await resultLines(jobs.find(id), jobs.bucket, cursor ?? '0-0', limit);
    c.header('content-type', 'application/x-ndjson');
    if (page.next !== null) c.header('x-next-cursor', page.next);
    return c.body(page.body);
  })
  .get('/v1/jobs/:id/events', async (c) => {
    refuseParameters(c.req.url);
    const { jobs } = c.var.services;
    const id = c.req.param('id');
    const first = await jobs.status(id, tenantOf(c));
    return streamSSE(c, async (stream) => {
      let status = first;
      for (;;) {
        await stream.writeSSE({ event: 'progress', data: JSON.stringify(toAnswer(status)) });
        if (status.finishedAtMs !== null || stream.aborted) break;
        await stream.sleep(PROGRESS_MS);
        status = await jobs.status(id, tenantOf(c));
      }
      if (!stream.aborted) await stream.writeSSE({ event: 'end', data: status.state });
    });
  });

interface JobRequest {
  readonly task: JobTask;
  readonly model: string | undefined;
  readonly parameters: JobSpecification['parameters'];
  readonly inputs: NewInputs;
  readonly callbackUrl: string | null;
}

async function create(c: Context<AppEnvironment>, request: JobRequest): Promise<Response> {
  const idempotencyKey = c.req.header('idempotency-key') ?? null;
  if (idempotencyKey !== null && !/^[\x21-\x7e]{1,255}$/.test(idempotencyKey)) {
    throw new RequestError('invalid_parameter', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
  }
  const { jobs, config, moderation } = c.var.services;
  const policy = request.model === undefined ? request.parameters.policy : undefined;
  const model =
    typeof policy === 'string'
      ? await moderation.judge.networkOf(policy)
      : parseModelReference(request.model, config, tenantOf(c));
  const { traceparent } = c.var;
  const { id, replayed } = await jobs.create({ ...request, model, idempotencyKey, traceparent }, tenantOf(c));
  c.var.record.job = id;
  c.header('location', `/v1/jobs/${id}`);
  if (replayed) c.header('idempotency-replayed', 'true');
  return c.json(toAnswer(await jobs.status(id, tenantOf(c))), 202);
}

async function readJsonJob(c: Context<AppEnvironment>, memory: BodyMemory): Promise<JobRequest> {
  const json = await readJsonObject(c.req.raw, memory, JSON_LIMITS);
  const body = parseParameters(newJobSchema, new URL(c.req.url).searchParams, json);
  return {
    task: body.task,
    model: body.model,
    parameters: taskParameters(body.task, body.parameters),
    inputs: namedInputs(body, c),
    callbackUrl: checkCallback(body.callback_url, c),
  };
}

function readManifestJob(c: Context<AppEnvironment>, format: ManifestFormat, stored: StoredStream): JobRequest {
  const query = new URL(c.req.url).searchParams;
  const { task, model, callback_url, ...rest } = parseParameters(jobQuerySchema, query, {});
  const parameters = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    task,
    model,
    parameters: taskParameters(task, parameters),
    inputs: { kind: 'stream', ...stored, format },
    callbackUrl: checkCallback(callback_url, c),
  };
}

function namedInputs(body: z.infer<typeof newJobSchema>, c: Context<AppEnvironment>): NewInputs {
  const { inputs, manifest, prefix } = body;
  const given = [inputs, manifest, prefix].filter((each) => each !== undefined).length;
  if (given !== 1) throw new RequestError('invalid_body', 'the job must have one of "inputs", "manifest" and "prefix"');
  const defaultBucket = c.var.services.jobs.settings.buckets[0]?.name ?? '';
  const locate = (r2: z.infer<typeof r2ReferenceSchema>) =>
    typeof r2 === 'string' ? { bucket: defaultBucket, key: r2 } : r2;
  if (manifest !== undefined) return { kind: 'manifest', ...locate(manifest.r2), format: manifest.format };
  if (prefix !== undefined) {
    const { bucket, key } = locate(prefix.r2);
    return { kind: 'prefix', bucket, prefix: key };
  }
  const lines = inputs!.map((input) => `${JSON.stringify(input)}\n`).join('');
  // The memory of these lines is leased with the body that they come from.
  const source = openByteSource(new Blob([lines]).stream());
  return { kind: 'stream', source, reserve: async () => {}, format: 'ndjson' };
}

/** The parameters of a task, checked as its own route checks them. */
function taskParameters(task: JobTask, given: Readonly<Record<string, unknown>>): JobSpecification['parameters'] {
  const none = new URLSearchParams();
  if (task === 'moderate') return parseParameters(moderateParametersSchema, none, given);
  if (task === 'embed') return { exact: parseParameters(embedParametersSchema, none, given).exact };
  const { top_k, function_to_apply, exact } = parseParameters(classifyParametersSchema, none, given);
  return { top_k, ...(function_to_apply === undefined ? {} : { function_to_apply }), exact };
}

/** A callback goes only where it can be signed for, and where requests may go. */
function checkCallback(url: string | undefined, c: Context<AppEnvironment>): string | null {
  if (url === undefined) return null;
  const { settings } = c.var.services.jobs;
  const judged = judgeUrl(url, settings.urlPolicy).href;
  if (findReceiver(settings.callbacks, judged) !== null) return judged;
  throw new RequestError('invalid_parameter', '"callback_url" has no receiver with a secret in this deployment', {
    details: { parameter: 'callback_url' },
  });
}

function toAnswer(status: JobStatus) {
  const { specification, state, counts, totalIsFinal, finishedAtMs, itemsPerSecond, expiresAtMs } = status;
  const { id, task, model, parameters, createdAtMs } = specification;
  const eta = itemsPerSecond === null || itemsPerSecond === 0 ? null : Math.ceil(counts.pending / itemsPerSecond);
  return {
    id,
    state,
    task,
    model,
    parameters,
    counts,
    total_is_final: totalIsFinal,
    items_per_s: itemsPerSecond === null ? null : Math.round(itemsPerSecond * 10) / 10,
    eta_s: finishedAtMs === null && totalIsFinal ? eta : null,
    created_at: new Date(createdAtMs).toISOString(),
    finished_at: finishedAtMs === null ? null : new Date(finishedAtMs).toISOString(),
    expires_at: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString(),
    links: {
      self: `/v1/jobs/${id}`,
      results: `/v1/jobs/${id}/results`,
      events: `/v1/jobs/${id}/events`,
    },
  };
}
