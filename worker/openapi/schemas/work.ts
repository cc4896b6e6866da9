/** What GPU workers are answered. */
import * as z from 'zod';
import { JOB_TASKS } from '../../jobs/records.ts';
import { count, version } from './common.ts';

const lease = z.string().regex(/^lease_[0-9a-f]{32}$/);

const leasedChunkSchema = z.strictObject({
  lease,
  attempt: z.int().positive(),
  job: z.string(),
  task: z.enum(JOB_TASKS),
  model: version,
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  /** Each at a URL of its own, or at a path of this deployment. */
  items: z.array(
    z.union([z.strictObject({ index: count, url: z.string() }), z.strictObject({ index: count, path: z.string() })]),
  ),
});

/** `POST /v1/work/lease`. */
export const leasesSchema = z.strictObject({
  leases: z.array(leasedChunkSchema),
  /** A lease that is neither renewed nor reported on for this long may be given to another worker. */
  lease_s: z.number().positive(),
  limits: z.strictObject({
    max_bytes: count,
    max_pixels: count,
    max_edge_px: count,
    max_decode_bytes: count,
  }),
  transcodes: z.boolean(),
  /** Which URLs may be fetched. */
  url_policy: z.strictObject({
    protocols: z.array(z.string()),
    ports: z.array(count),
    allow_hosts: z.array(z.string()),
    deny_hosts: z.array(z.string()),
    exempt_origins: z.array(z.string()),
  }),
});

/** `POST /v1/work/renew`: leases that the caller does not have any more. */
export const renewedSchema = z.strictObject({ lost: z.array(lease) });

/** `POST /v1/work/report`: items of the chunk without an outcome; 0 ends the lease. */
export const reportedSchema = z.strictObject({ pending: count });

/** `POST /v1/work/release`. */
export const releasedSchema = z.strictObject({ released: z.literal(true) });
