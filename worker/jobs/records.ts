/** What travels between the parts of a bulk job: routes, the job's Durable Object, the queue and its consumer. JSON-safe. */
import * as z from 'zod';
import type { Traceparent } from '../observability/trace.ts';

/** What is done with every image. */
export const JOB_TASKS = ['classify', 'embed', 'moderate'] as const;
export type JobTask = (typeof JOB_TASKS)[number];

/** Where a job is. `ingesting` reads its inputs while the first chunks are already worked on. */
export const JOB_STATES = ['ingesting', 'running', 'completed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Where a job's inputs come from. */
export type InputSource =
  /** Lines of an object in the jobs bucket, stored before the job was accepted. */
  | { readonly kind: 'stored'; readonly key: string; readonly format: ManifestFormat }
  /** Lines of an object in a bucket that the deployment reads from. */
  | { readonly kind: 'manifest'; readonly bucket: string; readonly key: string; readonly format: ManifestFormat }
  /** Every object below a prefix of such a bucket. */
  | { readonly kind: 'prefix'; readonly bucket: string; readonly prefix: string };

/** How a manifest is written: one JSON value a line, or CSV whose first column (or the one named) is the image. */
export type ManifestFormat = 'ndjson' | 'csv';

/** One image of a job, as its line names it. */
export const jobInputSchema = z
  .strictObject({
    url: z.string().max(2048).optional(),
    r2: z
      .union([
        z.string().min(1).max(1024),
        z.strictObject({ bucket: z.string().max(63), key: z.string().min(1).max(1024) }),
      ])
      .optional(),
    /** The client's name for the image; comes back in its result. */
    id: z.string().max(256).optional(),
  })
  .refine(({ url, r2 }) => (url === undefined) !== (r2 === undefined), 'must name one of url and r2');
export type JobInput = z.infer<typeof jobInputSchema>;

/** What a job was asked to do; fixed when it is accepted. */
export interface JobSpecification {
  readonly id: string;
  readonly task: JobTask;
  /** Pinned: every item is answered by the same version. */
  readonly model: { readonly name: string; readonly version: string };
  /** Where the model is a head: whose, and the network that it is on. */
  readonly head?: {
    readonly tenant: string;
    readonly backbone: { readonly name: string; readonly version: string };
  };
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly source: InputSource;
  /** Whether GPU workers can run the network, or they alone; absent where it has no variant for them. */
  readonly gpu?: 'able' | 'alone';
  /** Items a chunk. */
  readonly chunkItems: number;
  readonly callbackUrl: string | null;
  /** Of the request that made it; jobs of earlier releases have none. */
  readonly traceparent?: Traceparent;
  readonly createdAtMs: number;
  readonly retentionMs: number;
}

/** Why an item has no answer. */
export interface ItemError {
  readonly code: string;
  readonly message: string;
}

/** An input, or why its line is none. */
export type ParsedInput = { readonly input: JobInput } | { readonly error: ItemError };

/** What came of one item. */
export type ItemOutcome =
  | { readonly index: number; readonly status: 'succeeded'; readonly line: string }
  | { readonly index: number; readonly status: 'failed'; readonly error: ItemError }
  /** Worth another try: the item stays pending and its attempt is counted. */
  | { readonly index: number; readonly status: 'retry'; readonly error: ItemError };

/** An item that a consumer is to work on. */
export interface LeasedItem {
  readonly index: number;
  readonly input: JobInput;
}

/** A chunk that a consumer is to work on. */
export interface ChunkLease {
  readonly specification: JobSpecification;
  readonly items: readonly LeasedItem[];
}

/** A queue message: a chunk, never its images. */
export const chunkMessageSchema = z.object({
  v: z.literal(1),
  job: z.string(),
  chunk: z.int().nonnegative(),
});
export type ChunkMessage = z.infer<typeof chunkMessageSchema>;

/** Items by outcome; they add up to `total`. */
export interface JobCounts {
  readonly total: number;
  readonly pending: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** What `GET /v1/jobs/{id}` says. */
export interface JobStatus {
  readonly specification: JobSpecification;
  /** Whose job it is: the id of an API key. */
  readonly tenant: string;
  readonly state: JobState;
  readonly counts: JobCounts;
  /** False while inputs are still being read: `total` grows. */
  readonly totalIsFinal: boolean;
  readonly finishedAtMs: number | null;
  /** Items a second over the last minute; null where nothing was finished in it. */
  readonly itemsPerSecond: number | null;
  readonly expiresAtMs: number | null;
}

/** Why a job refuses what is asked: errors lose their class on the way out of a Durable Object, so they travel as values. */
export interface Refusal {
  readonly refused: {
    readonly code: 'job_not_found' | 'job_state_conflict';
    readonly message: string;
    readonly state?: JobState;
  };
}

/** True for a refusal. */
export function isRefusal(value: object | number | null): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}

/** The refusal of a job that is not there. */
export const JOB_NOT_FOUND: Refusal = {
  refused: { code: 'job_not_found', message: 'there is no such job, or its time is over' },
};
