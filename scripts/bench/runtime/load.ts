/** Requests over HTTP at a fixed concurrency, and what they took. */
import { Agent, request } from 'node:http';

/** How long a request may go without its whole answer before it counts as failed. */
const ANSWER_TIMEOUT_MS = 30_000;

/** So many requests in a row without any answer, and the rest is not sent: a worker that hangs does not come back. */
const GIVE_UP_AFTER = 8;

/** What a load saw. */
export interface LoadResult {
  readonly concurrency: number;
  readonly requests: number;
  /** Requests that were not answered with 200, those that were not sent any more included. */
  readonly lost: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** What came of a number of requests. */
export interface Sent {
  /** Of the answers with status 200, in the order in which they came. */
  readonly timesMs: readonly number[];
  /** Answers of another status, broken connections, and requests without an answer in time. */
  readonly failed: number;
  /** Requests that were not sent any more after 8 in a row without an answer. */
  readonly unsent: number;
}

/** One answer. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly ms: number;
}

/** One connection pool to one server. */
export class LoadClient {
  readonly #agent: Agent;
  readonly #url: string;
  readonly #timeoutMs: number;

  constructor(url: string, concurrency: number, timeoutMs: number = ANSWER_TIMEOUT_MS) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: concurrency });
    this.#timeoutMs = timeoutMs;
  }

  /** POSTs an image past every cache. @throws Error where the connection breaks, or the answer is not there in time. */
  post(path: string, body: Uint8Array): Promise<Answer> {
    const start = performance.now();
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/octet-stream',
        'content-length': body.byteLength,
        'cache-control': 'no-store',
      };
      const sent = request(`${this.#url}${path}`, { method: 'POST', agent: this.#agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            ms: performance.now() - start,
          }),
        );
      });
      const timer = setTimeout(() => {
        sent.destroy(new Error(`no answer from ${path} in ${this.#timeoutMs / 1000} s`));
      }, this.#timeoutMs);
      sent.on('close', () => clearTimeout(timer));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** POSTs the bodies in turn, `count` requests in all, `concurrency` at a time. */
export async function sendAll(
  client: LoadClient,
  path: string,
  bodies: readonly Uint8Array[],
  count: number,
  concurrency: number,
): Promise<Sent> {
  const timesMs: number[] = [];
  let [next, failed, unansweredInARow] = [0, 0, 0];
  const lane = async (): Promise<void> => {
    while (next < count && unansweredInARow < GIVE_UP_AFTER) {
      const answer = await client.post(path, bodies[next++ % bodies.length]!).catch(() => null);
      unansweredInARow = answer === null ? unansweredInARow + 1 : 0;
      if (answer?.status === 200) timesMs.push(answer.ms);
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return { timesMs, failed, unsent: count - next };
}

/** Sends `requests` times the same image, `concurrency` at a time. */
export async function measureLoad(
  url: string,
  path: string,
  body: Uint8Array,
  concurrency: number,
  requests: number,
): Promise<LoadResult> {
  const client = new LoadClient(url, concurrency);
  const start = performance.now();
  const { timesMs, failed, unsent } = await sendAll(client, path, [body], requests, concurrency);
  const seconds = (performance.now() - start) / 1000;
  client.close();
  const sorted = timesMs.toSorted((a, b) => a - b);
  return {
    concurrency,
    requests,
    lost: failed + unsent,
    perSecond: sorted.length / seconds,
    p50Ms: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    p99Ms: quantile(sorted, 0.99),
  };
}

/** The value that a share `q` of the sorted values does not exceed (nearest rank); NaN of none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
