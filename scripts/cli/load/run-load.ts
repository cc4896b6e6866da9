/** Sends one picture again and again at a fixed rate, and counts what comes back. autocannon keeps the rate and the latencies. */
import autocannon from 'autocannon';
import * as z from 'zod';
import { onEnding } from '../../process/ending.ts';

/** Longest wait for an answer, in seconds. */
const TIMEOUT_S = 60;

/** What to send, where and how often. */
export interface LoadOptions {
  /** The whole address: `https://host/v1/classify?model=bit-50`. */
  readonly url: string;
  readonly image: Uint8Array;
  readonly key: string | undefined;
  readonly rps: number;
  readonly seconds: number;
  /** At most so many requests at a time. */
  readonly connections: number;
}

/** What was seen. */
export interface LoadReport {
  readonly requests: number;
  readonly answered: number;
  /** Answers a second with status 200. */
  readonly rps: number;
  /** Of all answers, in ms; a late request counts from when it was due. */
  readonly latency_ms: Readonly<Record<'p50' | 'p90' | 'p99' | 'max', number>>;
  /** Problem code (or `status 502`, `no answer`, `timeout`) -> answers. */
  readonly errors: Readonly<Record<string, number>>;
  /** Mean of what answers say in `timing`; null where the clock stood still, as it does in production. */
  readonly compute_ms: number | null;
}

const answerSchema = z.object({ timing: z.record(z.string(), z.number()) });
const problemSchema = z.object({ code: z.string() });

/** Runs the load to its end. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { url, image, key, rps, seconds, connections } = options;
  const errors = new Map<string, number>();
  const count = (code: string, by = 1): void => void errors.set(code, (errors.get(code) ?? 0) + by);
  let answered = 0;
  let computed = 0;
  let computeMs = 0;
  const onResponse = (status: number, body: string): void => {
    const json = parseJson(body);
    if (status !== 200) {
      count(problemSchema.safeParse(json).data?.code ?? `status ${status}`);
      return;
    }
    answered++;
    const { data } = answerSchema.safeParse(json);
    const ms = Object.values(data?.timing ?? {}).reduce((sum, each) => sum + each, 0);
    if (ms > 0) computed++;
    computeMs += ms;
  };
  const load: autocannon.Options = {
    url,
    connections: Math.min(connections, Math.ceil(rps)),
    overallRate: rps,
    duration: seconds,
    timeout: TIMEOUT_S,
    requests: [
      {
        method: 'POST',
        body: Buffer.from(image),
        headers: {
          'content-type': 'application/octet-stream',
          // Every answer is to be computed.
          'cache-control': 'no-store',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        onResponse,
      },
    ],
  };
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(load, (error: unknown, done) => (error ? reject(error) : resolve(done)));
    const forget = onEnding(() => instance.stop());
    instance.once('done', forget);
  });
  if (result.timeouts > 0) count('timeout', result.timeouts);
  if (result.errors > result.timeouts) count('no answer', result.errors - result.timeouts);
  const { p50, p90, p99, max } = result.latency;
  return {
    requests: result.requests.sent,
    answered,
    rps: Math.round((10 * answered) / result.duration) / 10,
    latency_ms: { p50, p90, p99, max },
    errors: Object.fromEntries([...errors].sort(([, a], [, b]) => b - a)),
    compute_ms: computed === 0 ? null : Math.round((10 * computeMs) / computed) / 10,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
