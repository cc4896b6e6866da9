/** The API of a deployment, as commands use it. */
import * as z from 'zod';
import { FetchError, RequestError } from '../../../worker/errors.ts';
import { connectionProblem } from '../../process/failure.ts';

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

  /** @throws RequestError where `url` is none. */
  constructor(url: string, key: string | undefined) {
    if (!URL.canParse(url))
      throw new RequestError(
        'invalid_parameter',
        `--url is "${url}"; it must be an address such as http://127.0.0.1:8787`,
      );
    this.#url = url;
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  }

  /** @throws FetchError where it cannot be reached; RequestError where it refuses, with its words. */
  async call(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      const headers = { ...this.#headers, ...(init.headers as Record<string, string> | undefined) };
      response = await fetch(new URL(path, this.#url), { ...init, method, headers });
    } catch (error) {
      throw new FetchError('fetch_failed', `${this.#url} cannot be reached: ${connectionProblem(error)}`, {
        cause: error,
      });
    }
    if (response.ok) return response;
    const text = await response.text();
    const code = response.status === 404 ? 'not_found' : 'conflict';
    throw new RequestError(code, `${this.#url} answered ${response.status}: ${problemOf(text)}`);
  }

  /** @throws as `call`; FetchError where the answer is not JSON, so something else answers at the address. */
  async json(method: string, path: string, init: RequestInit = {}): Promise<unknown> {
    const response = await this.call(method, path, init);
    try {
      return await response.json();
    } catch (cause) {
      throw new FetchError('fetch_failed', `${this.#url}${path} answered no JSON; is it a bit-edge?`, { cause });
    }
  }

  async job(method: string, path: string, init: RequestInit = {}): Promise<Job> {
    return jobSchema.parse(await this.json(method, path, init));
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
