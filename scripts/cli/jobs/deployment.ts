/** The API of a deployment, as the jobs commands use it. */
import * as z from 'zod';
import { FetchError, JobError } from '../../../worker/errors.ts';

const count = z.int().nonnegative();
/** What is read of a job. */
const jobSchema = z.object({
  id: z.string(),
  state: z.enum(['ingesting', 'running', 'completed', 'cancelled']),
  counts: z.object({ total: count, pending: count, succeeded: count, failed: count, cancelled: count }),
  total_is_final: z.boolean(),
});
/** See `GET /v1/jobs/{id}`. */
export type Job = z.infer<typeof jobSchema>;

/** One deployment's API. */
export class Deployment {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, key: string | undefined) {
    this.#url = url;
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  }

  /** @throws FetchError where it cannot be reached; JobError where it refuses. */
  async call(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      const headers = { ...this.#headers, ...(init.headers as Record<string, string> | undefined) };
      response = await fetch(new URL(path, this.#url), { ...init, method, headers });
    } catch (error) {
      throw new FetchError('fetch_failed', `${this.#url} cannot be reached: ${String(error)}`, { cause: error });
    }
    if (response.ok) return response;
    const text = await response.text();
    const code = response.status === 404 ? 'job_not_found' : 'job_state_conflict';
    throw new JobError(code, `${this.#url} answered ${response.status}: ${problemOf(text)}`);
  }

  async job(method: string, path: string, init: RequestInit = {}): Promise<Job> {
    return jobSchema.parse(await (await this.call(method, path, init)).json());
  }
}

/** The code and detail of a problem document, or what came instead. */
function problemOf(text: string): string {
  try {
    const { code, detail } = z.object({ code: z.string(), detail: z.string().default('') }).parse(JSON.parse(text));
    return `${code}: ${detail}`;
  } catch {
    return text.slice(0, 200);
  }
}
