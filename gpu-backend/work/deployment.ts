/** The deployment that a worker pulls from: its calls, repeated where a failure may pass. */

import { AppError, JobError, ModelError } from '../../worker/errors.ts';
import type { UrlRules } from '../../worker/fetch/url-policy.ts';
import type { ReleaseReason, WorkOutcome } from '../../worker/jobs/work/records.ts';

const ATTEMPTS = 6;
const BACKOFF_MS = 250;
const TIMEOUT_MS = 30_000;
/** Limit of one model file. */
const DOWNLOAD_TIMEOUT_MS = 30 * 60_000;

/** One image of a chunk. */
export interface WorkItem {
  readonly index: number;
  readonly url?: string;
  /** At the deployment. */
  readonly path?: string;
}

/** A chunk that this worker holds. */
export interface LeasedChunk {
  readonly lease: string;
  readonly attempt: number;
  readonly job: string;
  readonly task: 'classify' | 'embed' | 'moderate';
  readonly model: { readonly name: string; readonly version: string };
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly items: readonly WorkItem[];
}

/** What the deployment hands out, and under which rules. */
export interface LeaseAnswer {
  readonly leases: readonly LeasedChunk[];
  readonly lease_s: number;
  readonly limits: {
    readonly max_bytes: number;
    readonly max_pixels: number;
    readonly max_edge_px: number;
    readonly max_decode_bytes: number;
  };
  readonly transcodes: boolean;
  readonly url_policy: UrlRules;
}

/** How a deployment is reached. */
export interface DeploymentOptions {
  readonly url: string;
  /** API key with the scope `work`; null where a local deployment needs none. */
  readonly key: string | null;
  /** This worker's name. */
  readonly worker: string;
  readonly fetch: typeof fetch;
  readonly sleep: (ms: number) => Promise<void>;
}

/** The key is not believed: nothing that this worker does is of use any more. */
export class KeyRefused extends Error {}

/** See the file's header. */
export class Deployment {
  readonly #options: DeploymentOptions;

  constructor(options: DeploymentOptions) {
    this.#options = options;
  }

  /** Chunks to work on, at most `max`. @throws KeyRefused; JobError `backend_unavailable` where it cannot be reached. */
  lease(max: number): Promise<LeaseAnswer> {
    // Not repeated: leases whose answer was lost run out by themselves, and the loop asks again anyway.
    return this.#post<LeaseAnswer>('lease', { max }, 1);
  }

  /** Says that chunks are worked on. @returns the leases that are lost. */
  async renew(leases: readonly string[]): Promise<string[]> {
    return (await this.#post<{ lost: string[] }>('renew', { leases })).lost;
  }

  /** @returns items of the chunk without an outcome. @throws JobError `lease_lost`. */
  async report(lease: string, outcomes: readonly WorkOutcome[]): Promise<number> {
    return (await this.#post<{ pending: number }>('report', { lease, outcomes })).pending;
  }

  /** Gives a chunk back. A lease that is lost already is no error. */
  async release(lease: string, reason: ReleaseReason): Promise<void> {
    try {
      await this.#post('release', { lease, reason });
    } catch (error) {
      if (!(error instanceof JobError && error.code === 'lease_lost')) throw error;
    }
  }

  /** Reads something at a path; its status is the caller's to judge. @throws KeyRefused; JobError `backend_unavailable`. */
  read(path: string, timeoutMs = DOWNLOAD_TIMEOUT_MS): Promise<Response> {
    return this.#call(path, { signal: () => AbortSignal.timeout(timeoutMs) });
  }

  async #post<T>(name: string, body: object, attempts = ATTEMPTS): Promise<T> {
    const text = JSON.stringify({ worker: this.#options.worker, ...body });
    const response = await this.#call(
      `/v1/work/${name}`,
      { method: 'POST', body: text, signal: () => AbortSignal.timeout(TIMEOUT_MS) },
      attempts,
    );
    if (response.ok) return (await response.json()) as T;
    const problem = await problemOf(response);
    if (problem.code === 'lease_lost') throw new JobError('lease_lost', problem.detail);
    throw new AppError('internal_error', `${name}: ${response.status} ${problem.code}: ${problem.detail}`);
  }

  async #call(
    path: string,
    init: { method?: string; body?: string; signal: () => AbortSignal },
    attempts = ATTEMPTS,
  ): Promise<Response> {
    const { url, key, sleep } = this.#options;
    const headers = {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    for (let attempt = 1; ; attempt++) {
      let reason: string;
      try {
        const response = await this.#options.fetch(url + path, { ...init, headers, signal: init.signal() });
        if (response.status === 401) throw new KeyRefused((await problemOf(response)).detail);
        if (response.status < 500 && response.status !== 429) return response;
        const { code, detail } = await problemOf(response);
        reason = `${response.status} ${code}: ${detail}`;
      } catch (error) {
        if (error instanceof KeyRefused) throw error;
        reason = error instanceof Error ? `${error.message}${causeOf(error)}` : String(error);
      }
      if (attempt >= attempts) {
        throw new JobError('backend_unavailable', `${url} does not answer: ${reason}`);
      }
      await sleep(BACKOFF_MS * 2 ** (attempt - 1));
    }
  }
}

/** @throws ModelError `model_unavailable` for anything but a file. */
export async function expectFile(response: Response, key: string): Promise<Response> {
  if (response.ok && response.body !== null) return response;
  const { code, detail } = await problemOf(response);
  throw new ModelError('model_unavailable', `${key}: ${response.status} ${code}: ${detail}`, { details: { key } });
}

/** Code and detail of a problem, or the beginning of what came instead. */
export async function problemOf(response: Response): Promise<{ code: string; detail: string }> {
  const text = await response.text();
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code === 'string' && typeof detail === 'string') return { code, detail };
  } catch {
    // Not a problem of ours: a proxy in between.
  }
  return { code: 'no_problem', detail: text.slice(0, 200) };
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error ? ` (${cause.message})` : '';
}
