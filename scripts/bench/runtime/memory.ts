/** Peak memory of an isolate under mixed requests: WASM heap exactly, JavaScript sampled through the inspector. */
import type { Deployment } from './deployment.ts';
import type { Inspector } from './inspector.ts';
import { inParallel, LoadClient } from './load.ts';

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
  /** By how much the steady figure was larger at the end than after the first 20 requests. */
  readonly growthMib: number;
  readonly requests: number;
  readonly failed: number;
  readonly samples: number;
}

/** Sends `requests` images of `bodies` in turn, four at a time. */
export async function measureMemory(
  deployment: Deployment,
  path: string,
  bodies: readonly Uint8Array[],
  requests: number,
  warmRequests: number,
): Promise<MemoryResult> {
  const client = new LoadClient(deployment.url, CONCURRENCY);
  let failed = 0;
  const send = (count: number): Promise<void> =>
    inParallel(count, CONCURRENCY, async (index) => {
      const answer = await client.post(path, bodies[index % bodies.length]!).catch(() => null);
      if (answer?.status !== 200) failed++;
    });
  const inspector = await deployment.inspect();
  const samples: number[] = [];
  let done = false;
  const sampling = (async () => {
    while (!done) {
      samples.push(await jsBytes(inspector));
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  })();
  await send(warmRequests);
  const early = await steadyBytes(deployment, inspector);
  await send(requests - warmRequests);
  done = true;
  await sampling;
  const steady = await steadyBytes(deployment, inspector);
  const wasm = await deployment.wasmHeapBytes();
  client.close();
  inspector.close();
  const peakJs = Math.max(...samples);
  return {
    peakMib: (wasm + peakJs) / MIB,
    steadyMib: steady / MIB,
    wasmMib: wasm / MIB,
    peakJsMib: peakJs / MIB,
    growthMib: (steady - early) / MIB,
    requests,
    failed,
    samples: samples.length,
  };
}

async function jsBytes(inspector: Inspector): Promise<number> {
  const { heapBytes, backingBytes } = await inspector.memory();
  return heapBytes + backingBytes;
}

async function steadyBytes(deployment: Deployment, inspector: Inspector): Promise<number> {
  let collected = false;
  const collection = inspector.collectGarbage().then(() => {
    collected = true;
  });
  // An idle isolate does not collect: it takes a request to wake it.
  while (!collected) {
    await deployment.wasmHeapBytes();
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
  await collection;
  return (await jsBytes(inspector)) + (await deployment.wasmHeapBytes());
}
