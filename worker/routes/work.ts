/** `/v1/work`: GPU workers pull chunks of bulk jobs, read what they need, and report. See docs/jobs.md. */
import { type Context, Hono } from 'hono';
import * as z from 'zod';
import { PREDICTION_LIMITS } from '../jobs/work/limits.ts';
import { RELEASE_REASONS } from '../jobs/work/records.ts';
import type { WorkCaller, WorkLease } from '../jobs/work/work-service.ts';
import type { JsonLimits } from '../json-shape.ts';
import { requireWorker } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { readSmallJson } from './support/body-lease.ts';
import { tenantOf } from './support/model-reference.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';

/** Chunks that a worker takes at a time, and leases that it renews in one call. */
const MAX_TAKEN = 16;
const MAX_RENEWED = 256;

/** Outcomes of a report, and its body in bytes: 256 embeddings of 2,048 are 2.8 MB. */
const MAX_OUTCOMES = 256;
const MAX_REPORT_BYTES = 4 * 1024 * 1024;

/** Outcomes hold predictions of three values each. */
const REPORT_LIMITS: JsonLimits = {
  maxDepth: 8,
  maxValues: 256,
  bulk: { member: 'outcomes', maxValues: 1_000_000, maxContainers: 200_000 },
};

const worker = z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ : -');
const lease = z.string().regex(/^lease_[0-9a-f]{32}$/, 'must be a lease');

/** `POST /v1/work/lease`. */
export const leaseRequestSchema = z.strictObject({ worker, max: z.int().min(1).max(MAX_TAKEN).default(1) });

/** `POST /v1/work/renew`. */
export const renewRequestSchema = z.strictObject({ worker, leases: z.array(lease).min(1).max(MAX_RENEWED) });

/** `POST /v1/work/release`. */
export const releaseRequestSchema = z.strictObject({ worker, lease, reason: z.enum(RELEASE_REASONS) });

const answerSchema = z.union([
  z.strictObject({
    predictions: z
      .array(
        z.strictObject({
          label: z.string().max(PREDICTION_LIMITS.labelCharacters),
          score: z.number(),
          index: z.int().nonnegative(),
        }),
      )
      .max(PREDICTION_LIMITS.predictions),
  }),
  z
    .strictObject({ embedding: z.base64(), dimensions: z.int().positive().max(PREDICTION_LIMITS.dimensions) })
    .refine(
      ({ embedding, dimensions }) => embedding.length === 4 * Math.ceil((4 * dimensions) / 3),
      'must be base64 of as many float32 as it has dimensions',
    ),
]);
const index = z.int().nonnegative();

/** `POST /v1/work/report`. */
export const reportRequestSchema = z.strictObject({
  worker,
  lease,
  outcomes: z
    .array(
      z.discriminatedUnion('status', [
        z.strictObject({ index, status: z.literal('succeeded'), answer: answerSchema }),
        z.strictObject({
          index,
          status: z.enum(['failed', 'retry']),
          error: z.strictObject({ code: z.string().regex(/^[a-z_0-9]{1,64}$/), message: z.string().max(1000) }),
        }),
      ]),
    )
    .max(MAX_OUTCOMES),
});

/** `GET /v1/work/images`: a link of a lease. */
export const imageLinkSchema = z.strictObject({
  bucket: z.string().min(1).max(63),
  key: z.string().min(1).max(1024),
  expires: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number),
  signature: z.string().regex(/^[0-9a-f]{64}$/),
});

export const workRoutes = new Hono<AppEnvironment>()
  .use('/v1/work/*', requireWorker)
  .post('/v1/work/lease', async (c) => {
    const { max, ...rest } = await readRequest(c, leaseRequestSchema);
    const { work, images, workSettings, jobServices } = c.var.services;
    const { limits, imageService } = jobServices;
    const leases = await work.lease(callerOf(c, rest), max);
    return c.json({
      leases: leases.map(toAnswer),
      lease_s: workSettings.leaseMs / 1000,
      limits: {
        max_bytes: limits.maxBytes,
        max_pixels: limits.maxPixels,
        max_edge_px: limits.maxEdge,
        max_decode_bytes: limits.maxMemoryBytes,
      },
      /** If true, the edge answers AVIF and HEIC. */
      transcodes: imageService !== null,
      url_policy: images.urlRules,
    });
  })
  .post('/v1/work/renew', async (c) => {
    const { leases, ...rest } = await readRequest(c, renewRequestSchema);
    return c.json({ lost: await c.var.services.work.renew(callerOf(c, rest), leases) });
  })
  .post('/v1/work/report', async (c) => {
    const body = await readRequest(c, reportRequestSchema);
    return c.json({ pending: await c.var.services.work.report(callerOf(c, body), body.lease, body.outcomes) });
  })
  .post('/v1/work/release', async (c) => {
    const body = await readRequest(c, releaseRequestSchema);
    await c.var.services.work.release(callerOf(c, body), body.lease, body.reason);
    return c.json({ released: true });
  })
  .get('/v1/work/images', async (c) => {
    const { signature, ...image } = parseParameters(imageLinkSchema, new URL(c.req.url).searchParams, {});
    const object = await c.var.services.work.image(image, signature);
    c.header('cache-control', 'no-store');
    return c.body(object.body, 200, {
      'content-type': 'application/octet-stream',
      'content-length': String(object.size),
    });
  })
  .get('/v1/work/models/:name/:version/:file', async (c) => {
    refuseParameters(c.req.url);
    const { name, version, file } = c.req.param();
    const object = await c.var.services.work.modelFile(name, version, file);
    return c.body(object.body, 200, {
      'content-type': 'application/octet-stream',
      'content-length': String(object.size),
    });
  });

async function readRequest<T extends z.ZodType>(c: Context<AppEnvironment>, schema: T): Promise<z.infer<T>> {
  const body = await readSmallJson(c, REPORT_LIMITS, MAX_REPORT_BYTES);
  return parseParameters(schema, new URL(c.req.url).searchParams, body);
}

function callerOf(c: Context<AppEnvironment>, { worker: name }: { readonly worker: string }): WorkCaller {
  return { key: tenantOf(c), worker: name };
}

function toAnswer({ lease: id, attempt, specification, items }: WorkLease) {
  const { id: job, task, model, parameters } = specification;
  return { lease: id, attempt, job, task, model, parameters, items };
}
