/** Requests over HTTP at a fixed concurrency, and what they took. */
import { Agent, request } from 'node:http';

/** What a load saw. */
export interface LoadResult {
  readonly concurrency: number;
  readonly requests: number;
  /** Requests that were not answered with 200. */
  readonly lost: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
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

  constructor(url: string, concurrency: number) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  }

  /** POSTs an image past every cache. @throws Error where the connection breaks. */
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
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Runs `count` pieces of work, `concurrency` at a time, in order. */
export async function inParallel(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
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
  const times: number[] = [];
  const start = performance.now();
  await inParallel(requests, concurrency, async () => {
    const answer = await client.post(path, body).catch(() => null);
    if (answer?.status === 200) times.push(answer.ms);
  });
  const seconds = (performance.now() - start) / 1000;
  client.close();
  times.sort((a, b) => a - b);
  return {
    concurrency,
    requests,
    lost: requests - times.length,
    perSecond: times.length / seconds,
    p50Ms: quantile(times, 0.5),
    p95Ms: quantile(times, 0.95),
    p99Ms: quantile(times, 0.99),
  };
}

/** The value that a share `q` of the sorted values does not exceed (nearest rank); NaN of none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
