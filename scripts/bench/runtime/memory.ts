/** Peak memory of an isolate under mixed requests: WASM heap exactly, JavaScript sampled through the inspector. */
import type { Deployment } from './deployment.ts';
import type { Inspector } from './inspector.ts';
import { LoadClient, type Sent, sendAll } from './load.ts';

const MIB = 1024 * 1024;
const CONCURRENCY = 4;
const SAMPLE_MS = 25;

/** Memory in MiB. */
export interface MemoryResult {
  /** WASM heap and JavaScript together, the largest sample: garbage that was not collected yet included. */
  readonly peakMib: number;
  /** The same after a full garbage collection at the end. */
  readonly steadyMib: number;
  readonly wasmMib: number;
  readonly peakJsMib: number;
  /** By how much the steady figure was larger at the end than after the first `warmRequests`. */
  readonly growthMib: number;
  readonly requests: number;
  /** How many of the requests came before growth counts. */
  readonly warmRequests: number;
  /** Requests that were not answered with 200, those that were not sent any more included. */
  readonly failed: number;
  /** How many of `failed` were not sent any more, because the worker had stopped to answer. */
  readonly unsent: number;
  readonly samples: number;
}

/**
 * Sends `requests` images of `bodies` in turn, four at a time.
 * @throws Error where the isolate stops to answer even the inspector or /metrics.
 */
export async function measureMemory(
  deployment: Deployment,
  path: string,
  bodies: readonly Uint8Array[],
  requests: number,
  warmRequests: number,
): Promise<MemoryResult> {
  const client = new LoadClient(deployment.url, CONCURRENCY);
  const inspector = await deployment.inspect();
  const end = new AbortController();
  const sampling = sampleJsBytes(inspector, end.signal);
  try {
    const warm = await sendAll(client, path, bodies, warmRequests, CONCURRENCY);
    const early = await steadyBytes(deployment, inspector);
    const rest = requests - warmRequests;
    const measured: Sent =
      warm.unsent > 0
        ? { timesMs: [], failed: 0, unsent: rest }
        : await sendAll(client, path, bodies, rest, CONCURRENCY);
    end.abort();
    const samples = await sampling;
    if (samples.length === 0) throw new Error('the inspector gave no sample of the memory');
    const steady = await steadyBytes(deployment, inspector);
    const wasm = await deployment.wasmHeapBytes();
    const peakJs = Math.max(...samples);
    const unsent = warm.unsent + measured.unsent;
    return {
      peakMib: (wasm + peakJs) / MIB,
      steadyMib: steady / MIB,
      wasmMib: wasm / MIB,
      peakJsMib: peakJs / MIB,
      growthMib: (steady - early) / MIB,
      requests,
      warmRequests,
      failed: warm.failed + measured.failed + unsent,
      unsent,
      samples: samples.length,
    };
  } finally {
    end.abort();
    client.close();
    inspector.close();
  }
}

/** Bytes of JavaScript, every 25 ms until the signal. A sample that fails is left out. */
async function sampleJsBytes(inspector: Inspector, until: AbortSignal): Promise<readonly number[]> {
  const samples: number[] = [];
  while (!until.aborted) {
    const bytes = await jsBytes(inspector).catch(() => null);
    if (bytes !== null) samples.push(bytes);
    await pause();
  }
  return samples;
}

async function jsBytes(inspector: Inspector): Promise<number> {
  const { heapBytes, backingBytes } = await inspector.memory();
  return heapBytes + backingBytes;
}

async function steadyBytes(deployment: Deployment, inspector: Inspector): Promise<number> {
  let settled = false;
  const collection = inspector.collectGarbage().finally(() => {
    settled = true;
  });
  // An idle isolate does not collect: it takes a request to wake it.
  const waking = (async () => {
    while (!settled) {
      await deployment.wasmHeapBytes();
      await pause();
    }
  })();
  await Promise.all([collection, waking]);
  return (await jsBytes(inspector)) + (await deployment.wasmHeapBytes());
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
}
