/**
 * A typed client of a bit-edge deployment, over `fetch`: no dependency, the types of the schemas that the worker's document is made
 * of. For browsers, Workers, Deno, Bun and Node.
 */
import type * as z from 'zod';
import type { policySchema } from '../worker/moderation/policy/schema.ts';
import type { problemSchema } from '../worker/openapi/schemas/errors.ts';
import type {
  exampleListSchema,
  exampleSchema,
  examplesAddedSchema,
  examplesDeletedSchema,
  headAliasMoveSchema,
  headDeletedSchema,
  headListSchema,
  headReportSchema,
  headSchema,
} from '../worker/openapi/schemas/heads.ts';
import type {
  classActivationSchema,
  classificationSchema,
  embeddingSchema,
  featuresSchema,
} from '../worker/openapi/schemas/images.ts';
import type { jobListSchema, jobSchema, retriedJobSchema } from '../worker/openapi/schemas/jobs.ts';
import type {
  aliasListSchema,
  aliasMoveSchema,
  modelListSchema,
  modelSchema,
  preprocessorSchema,
  reportSchema,
  warmSchema,
} from '../worker/openapi/schemas/models.ts';
import type {
  claimedReviewSchema,
  decisionSchema,
  publishedPolicySchema,
  reviewListSchema,
  reviewSchema,
} from '../worker/openapi/schemas/moderation.ts';
import type { keySchema } from '../worker/openapi/schemas/service.ts';
import type {
  enabledSchema,
  endpointListSchema,
  eventListSchema,
  eventSchema,
  replayedEventSchema,
  replayedSchema,
  statsSchema,
} from '../worker/openapi/schemas/webhooks.ts';

/** The answers, without the list form: one image gives one. */
type One<T> = Exclude<T, { readonly results: readonly unknown[] }>;
export type Classification = One<z.infer<typeof classificationSchema>>;
export type ClassActivation = One<z.infer<typeof classActivationSchema>>;
export type Embedding = One<z.infer<typeof embeddingSchema>>;
export type Features = One<z.infer<typeof featuresSchema>>;
export type Decision = z.infer<typeof decisionSchema>;
export type Model = z.infer<typeof modelSchema>;
export type ModelList = z.infer<typeof modelListSchema>;
export type Preprocessor = z.infer<typeof preprocessorSchema>['preprocessor'];
export type Key = z.infer<typeof keySchema>;
export type Report = z.infer<typeof reportSchema>;
export type AliasList = z.infer<typeof aliasListSchema>;
export type Warmed = z.infer<typeof warmSchema>;
export type AliasMove = z.infer<typeof aliasMoveSchema>;
export type WebhookEvent = z.infer<typeof eventSchema>;
export type WebhookEventList = z.infer<typeof eventListSchema>;
export type PolicyDocument = z.infer<typeof policySchema>;
export type PublishedPolicy = z.infer<typeof publishedPolicySchema>;
export type Review = z.infer<typeof reviewSchema>;
export type ReviewList = z.infer<typeof reviewListSchema>;
export type Job = z.infer<typeof jobSchema>;
export type JobList = z.infer<typeof jobListSchema>;
export type RetriedJob = z.infer<typeof retriedJobSchema>;
export type Head = z.infer<typeof headSchema>;
export type HeadList = z.infer<typeof headListSchema>;
export type HeadReport = z.infer<typeof headReportSchema>;
export type HeadExample = z.infer<typeof exampleSchema>;
export type HeadExampleList = z.infer<typeof exampleListSchema>;
export type HeadAliasMove = z.infer<typeof headAliasMoveSchema>;
/** An error body, RFC 9457. */
export type Problem = z.infer<typeof problemSchema>;

/** An image: encoded bytes, a URL, or a key in R2. */
export type ImageSource =
  | Blob
  | ArrayBuffer
  | Uint8Array<ArrayBuffer>
  | { readonly url: string }
  | { readonly r2: string };

/** Parameters of every task. */
interface TaskOptions {
  /** `name`, `name@version` or `name@alias`. */
  readonly model?: string;
  /** True: large JPEGs are decoded at full size, as the reference does. */
  readonly exact?: boolean;
}
export interface ClassifyOptions extends TaskOptions {
  readonly top_k?: number;
  readonly function_to_apply?: 'softmax' | 'sigmoid' | 'none';
}
export interface ClassActivationOptions extends TaskOptions {
  /** Of the label; default: the best one. */
  readonly index?: number;
  readonly encoding?: 'float' | 'base64';
}
export interface EmbedOptions extends TaskOptions {
  readonly normalize?: boolean;
  readonly encoding?: 'float' | 'base64';
}
export interface FeaturesOptions extends TaskOptions {
  readonly outputs?: readonly string[];
  readonly encoding?: 'float' | 'base64';
}

/** A bulk job: a list of inputs, or a manifest or prefix in a bucket. */
export interface NewJob {
  readonly task?: 'classify' | 'embed' | 'moderate';
  readonly model?: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  readonly inputs?: readonly unknown[];
  readonly manifest?: { readonly r2: string; readonly format?: 'ndjson' | 'csv' };
  readonly prefix?: { readonly r2: string };
  readonly callback_url?: string;
}

/** Examples of one class of a head; a string is base64 or a `data:` URI. */
export interface HeadClass {
  readonly label: string;
  readonly images: readonly (string | { readonly url: string } | { readonly r2: string })[];
}

/** A head and its first examples. */
export interface NewHead {
  readonly name: string;
  /** `name` or `name@version` of a model; default: the default model. */
  readonly backbone?: string;
  readonly method?: 'auto' | 'ridge' | 'nearest_mean' | 'logistic';
  readonly unknown?: boolean;
  readonly promote?: 'always' | 'if_better' | 'never';
  readonly classes: readonly HeadClass[];
}

/** Where the deployment is and how to call it. */
export interface ClientOptions {
  readonly baseUrl: string;
  readonly apiKey?: string;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

/** A failed response; `problem.code` is stable. */
export class BitEdgeError extends Error {
  readonly problem: Problem;
  /** Seconds after which a retry may succeed; null if the worker gave none. */
  readonly retryAfterSeconds: number | null;

  constructor(problem: Problem, retryAfterSeconds: number | null) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`);
    this.name = 'BitEdgeError';
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A deployment. Every method throws `BitEdgeError` if the worker refuses. */
export class BitEdgeClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = { ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') };
  }

  classify(image: ImageSource, options: ClassifyOptions = {}): Promise<Classification> {
    return this.#image('/v1/classify', image, options);
  }

  /** Where in an image the evidence for a label is. */
  classActivation(image: ImageSource, options: ClassActivationOptions = {}): Promise<ClassActivation> {
    return this.#image('/v1/class-activation', image, options);
  }

  embed(image: ImageSource, options: EmbedOptions = {}): Promise<Embedding> {
    return this.#image('/v1/embed', image, options);
  }

  features(image: ImageSource, { outputs, ...options }: FeaturesOptions = {}): Promise<Features> {
    return this.#image('/v1/features', image, { ...options, ...(outputs && { outputs: outputs.join(',') }) });
  }

  moderate(image: ImageSource, options: { readonly policy?: string; readonly id?: string } = {}): Promise<Decision> {
    return this.#image('/v1/moderate', image, options);
  }

  listModels(): Promise<ModelList> {
    return this.#call('GET', '/v1/models');
  }

  getModel(model: string): Promise<Model> {
    return this.#call('GET', `/v1/models/${encodeURIComponent(model)}`);
  }

  /** How a version wants its images, in the field names of Hugging Face's `BitImageProcessor`. */
  async getPreprocessor(model: string): Promise<Preprocessor> {
    const path = `/v1/models/${encodeURIComponent(model)}/preprocessor`;
    return (await this.#call<{ preprocessor: Preprocessor }>('GET', path)).preprocessor;
  }

  /** What the key of this client may do. */
  getKey(): Promise<Key> {
    return this.#call('GET', '/v1/key');
  }

  /** What importing a version measured; a version without a report is refused with `not_found`. */
  getReport(model: string): Promise<Report> {
    return this.#call('GET', `/v1/models/${encodeURIComponent(model)}/report`);
  }

  /** Loads a version into the isolate that answers. */
  warmModel(model: string): Promise<Warmed> {
    return this.#call('POST', `/v1/models/${encodeURIComponent(model)}/warm`);
  }

  listAliases(name: string): Promise<AliasList> {
    return this.#call('GET', `/v1/models/${encodeURIComponent(name)}/aliases`);
  }

  /** Points an alias at its previous version. */
  rollbackAlias(name: string, alias: string): Promise<AliasMove> {
    const path = `/v1/models/${encodeURIComponent(name)}/aliases/${encodeURIComponent(alias)}/rollback`;
    return this.#call('POST', path);
  }

  /** What the isolate that answers saw, in Prometheus' text format. */
  async getMetrics(): Promise<string> {
    return (await this.#send('GET', '/metrics')).text();
  }

  moveAlias(name: string, alias: string, version: string): Promise<AliasMove> {
    const path = `/v1/models/${encodeURIComponent(name)}/aliases/${encodeURIComponent(alias)}`;
    return this.#json('PUT', path, { version });
  }

  /** @param idempotencyKey a repeated call with the same key gives the same job. */
  createJob(job: NewJob, idempotencyKey?: string): Promise<Job> {
    return this.#json('POST', '/v1/jobs', job, idempotencyKey);
  }

  getJob(id: string): Promise<Job> {
    return this.#call('GET', `/v1/jobs/${encodeURIComponent(id)}`);
  }

  /** Events of webhooks and uploads, newest first. */
  listEvents(
    filter: {
      readonly source?: string;
      readonly state?: WebhookEvent['state'];
      readonly cursor?: string;
      readonly limit?: number;
    } = {},
  ): Promise<WebhookEventList> {
    return this.#call('GET', `/v1/webhooks/events${queryOf(filter)}`);
  }

  /** One event, with its decision and every attempt to deliver it. */
  getEvent(id: string): Promise<WebhookEvent> {
    return this.#call('GET', `/v1/webhooks/events/${encodeURIComponent(id)}`);
  }

  replayEvent(id: string): Promise<z.infer<typeof replayedEventSchema>> {
    return this.#call('POST', `/v1/webhooks/events/${encodeURIComponent(id)}/replay`);
  }

  /** Delivers every dead or disabled event of a source again. */
  replayEvents(source: string, state: 'dead' | 'disabled'): Promise<z.infer<typeof replayedSchema>> {
    return this.#json('POST', '/v1/webhooks/replay', { source, state });
  }

  getWebhookStats(): Promise<z.infer<typeof statsSchema>> {
    return this.#call('GET', '/v1/webhooks/stats');
  }

  listEndpoints(): Promise<z.infer<typeof endpointListSchema>> {
    return this.#call('GET', '/v1/webhooks/endpoints');
  }

  /** Lets a receiver that answered 410 receive again. */
  enableEndpoint(source: string, url: string): Promise<z.infer<typeof enabledSchema>> {
    return this.#json('POST', '/v1/webhooks/endpoints/enable', { source, url });
  }

  /** A policy's JSON. */
  getPolicy(policy: string): Promise<PolicyDocument> {
    return this.#call('GET', `/v1/policies/${encodeURIComponent(policy)}`);
  }

  /** Publishes a version of a policy. @param alias to point at it; null: none is moved. */
  publishPolicy(policy: object, alias: string | null = 'latest'): Promise<PublishedPolicy> {
    return this.#json('POST', '/v1/policies', { policy, alias });
  }

  getLabels(model: string): Promise<{ readonly labels: readonly string[] }> {
    return this.#call('GET', `/v1/models/${encodeURIComponent(model)}/labels`);
  }

  /** Reviews: pending ones oldest first, others newest first. */
  listReviews(
    filter: { readonly state?: Review['state']; readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<ReviewList> {
    return this.#call('GET', `/v1/reviews${queryOf(filter)}`);
  }

  /** Claims the oldest review that nobody holds, for five minutes; null if there is none. */
  async claimNextReview(reviewer?: string): Promise<Review | null> {
    const body = reviewer === undefined ? {} : { reviewer };
    return (await this.#json<z.infer<typeof claimedReviewSchema>>('POST', '/v1/reviews/next', body)).review;
  }

  /** Claims, releases, approves or rejects a review; repeated by the same reviewer, it changes nothing. */
  review(
    id: string,
    answer: {
      readonly action: 'claim' | 'release' | 'approve' | 'reject';
      readonly reviewer?: string;
      readonly note?: string;
    },
  ): Promise<Review> {
    return this.#json('POST', `/v1/reviews/${encodeURIComponent(id)}`, answer);
  }

  /** The image of a pending review. */
  async getReviewImage(id: string): Promise<Blob> {
    return (await this.#send('GET', `/v1/reviews/${encodeURIComponent(id)}/image`)).blob();
  }

  listJobs(page: { readonly cursor?: string; readonly limit?: number } = {}): Promise<JobList> {
    return this.#call('GET', `/v1/jobs${queryOf(page)}`);
  }

  cancelJob(id: string): Promise<Job> {
    return this.#call('DELETE', `/v1/jobs/${encodeURIComponent(id)}`);
  }

  /** Makes the failed items of a completed job pending again. */
  retryJob(id: string): Promise<RetriedJob> {
    return this.#call('POST', `/v1/jobs/${encodeURIComponent(id)}/retry`);
  }

  /** A page of results, one JSON object per line; `next` is null if there are no more, now or later. */
  async getJobResults(
    id: string,
    page: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<{ readonly lines: readonly string[]; readonly next: string | null }> {
    const response = await this.#send('GET', `/v1/jobs/${encodeURIComponent(id)}/results${queryOf(page)}`);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    return { lines, next: response.headers.get('x-next-cursor') };
  }

  /** The heads that the key may use. */
  listHeads(): Promise<HeadList> {
    return this.#call('GET', '/v1/heads');
  }

  getHead(name: string): Promise<Head> {
    return this.#call('GET', `/v1/heads/${encodeURIComponent(name)}`);
  }

  /** Makes a head and trains it. @param idempotencyKey a repeated call with the same key goes on where the first one ended. */
  createHead(head: NewHead, idempotencyKey?: string): Promise<Head> {
    return this.#json('POST', '/v1/heads', head, idempotencyKey);
  }

  /** Deletes a head, or one version of it (`name@version`). */
  deleteHead(reference: string): Promise<z.infer<typeof headDeletedSchema>> {
    return this.#call('DELETE', `/v1/heads/${encodeURIComponent(reference)}`);
  }

  /** Trains a version on the current examples; refused with `conflict` while pictures wait to be embedded. */
  trainHead(name: string): Promise<Head> {
    return this.#call('POST', `/v1/heads/${encodeURIComponent(name)}/train`);
  }

  /** The report of a version: `name@version`, `name@alias`, or `name` for `latest`. */
  getHeadReport(reference: string): Promise<HeadReport> {
    return this.#call('GET', `/v1/heads/${encodeURIComponent(reference)}/report`);
  }

  /** Adds examples; a new version follows. */
  addExamples(name: string, classes: readonly HeadClass[]): Promise<z.infer<typeof examplesAddedSchema>> {
    return this.#json('POST', `/v1/heads/${encodeURIComponent(name)}/examples`, { classes });
  }

  listExamples(
    name: string,
    filter: { readonly label?: string; readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<HeadExampleList> {
    return this.#call('GET', `/v1/heads/${encodeURIComponent(name)}/examples${queryOf(filter)}`);
  }

  /** Gives an example another label; a new version follows. */
  relabelExample(name: string, id: string, label: string): Promise<HeadExample> {
    const path = `/v1/heads/${encodeURIComponent(name)}/examples/${encodeURIComponent(id)}`;
    return this.#json('PATCH', path, { label });
  }

  /** Deletes an example; a new version follows. */
  deleteExample(name: string, id: string): Promise<z.infer<typeof examplesDeletedSchema>> {
    return this.#call('DELETE', `/v1/heads/${encodeURIComponent(name)}/examples/${encodeURIComponent(id)}`);
  }

  /** Points an alias of a head at a version. */
  moveHeadAlias(name: string, alias: string, version: string): Promise<HeadAliasMove> {
    const path = `/v1/heads/${encodeURIComponent(name)}/aliases/${encodeURIComponent(alias)}`;
    return this.#json('PUT', path, { version });
  }

  /** Points an alias of a head at its previous version. */
  rollbackHeadAlias(name: string, alias: string): Promise<HeadAliasMove> {
    const path = `/v1/heads/${encodeURIComponent(name)}/aliases/${encodeURIComponent(alias)}/rollback`;
    return this.#call('POST', path);
  }

  #image<T>(path: string, image: ImageSource, options: object): Promise<T> {
    const target = path + queryOf(options);
    if (image instanceof Blob || image instanceof ArrayBuffer || image instanceof Uint8Array) {
      return this.#call('POST', target, image, { 'content-type': 'application/octet-stream' });
    }
    return this.#json('POST', target, image);
  }

  #json<T>(method: string, path: string, value: unknown, idempotencyKey?: string): Promise<T> {
    return this.#call(method, path, JSON.stringify(value), {
      'content-type': 'application/json',
      ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
    });
  }

  async #call<T>(method: string, path: string, body?: BodyInit, headers: Record<string, string> = {}): Promise<T> {
    return (await (await this.#send(method, path, body, headers)).json()) as T;
  }

  async #send(method: string, path: string, body?: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
    const { baseUrl, apiKey, fetch: send = fetch } = this.#options;
    const response = await send(baseUrl + path, {
      method,
      headers: { ...headers, ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      ...(body !== undefined && { body }),
    });
    if (response.ok) return response;
    const retryAfter = response.headers.get('retry-after');
    throw new BitEdgeError(await readProblem(response), retryAfter === null ? null : Number(retryAfter));
  }
}

/** `?a=b`, or nothing; members that are undefined are left out. */
function queryOf(options: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options)) if (value !== undefined) query.set(name, String(value));
  return query.size === 0 ? '' : `?${query}`;
}

/** A proxy in between may answer with something other than a problem. */
async function readProblem(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    return JSON.parse(text) as Problem;
  } catch {
    const { status, statusText } = response;
    return {
      type: 'about:blank',
      title: statusText,
      status,
      detail: text.slice(0, 200),
      code: 'unknown',
      request_id: '',
    };
  }
}
