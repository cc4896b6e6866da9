/**
 * `npm run bench -- runtime [--qdq FILE]`: the worker in workerd, as it is deployed. Inference side by side with fp32 and
 * with onnxruntime-node, cold start, load, and memory; for the default model and BiT-R50x1 with random weights.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePhoto, makePhoto } from './photo.ts';
import { deploy, type LoadStages } from './runtime/deployment.ts';
import { LoadClient, type LoadResult, measureLoad } from './runtime/load.ts';
import { type MemoryResult, measureMemory } from './runtime/memory.ts';
import { MODELS, publishBenchModels } from './runtime/models.ts';
import { type NodeSession, openNodeSession } from './runtime/node-session.ts';
import { type BenchOptions, type BenchSuite, median } from './suite.ts';

/** Loads every model of the latency comparison at once: more than an isolate has. */
const LATENCY_BUDGET_BYTES = 1024 ** 3;
const R50_SIDE_PX = 224;
const MIXED_REQUESTS = 200;
const WARM_REQUESTS = 20;
const COLD_STARTS = 3;
const LOADS = [
  { concurrency: 1, requests: 500 },
  { concurrency: 4, requests: 500 },
  { concurrency: 16, requests: 1000 },
] as const;

/** Medians of one side's inference. */
interface InferenceRow {
  readonly side: string;
  readonly medianMs: number;
  readonly fastestMs: number;
  readonly runs: number;
}

interface ColdStart extends LoadStages {
  readonly firstAnswerMs: number;
}

/** The suite. */
export const RUNTIME_SUITE: BenchSuite = {
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'bit-edge-bench-'));
    try {
      return await measure(folder, options);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(folder: string, options: BenchOptions): Promise<Readonly<Record<string, unknown>>> {
  const { print } = options;
  const state = join(folder, 'state');
  const small = await encodePhoto(await makePhoto(500, 375), 'jpeg');
  const large = await makePhoto(4032, 3024);
  const jpeg12 = await encodePhoto(large, 'jpeg');
  const mixed = [
    jpeg12,
    small,
    await encodePhoto(large, 'jpeg-progressive'),
    jpeg12,
    await encodePhoto(await makePhoto(1280, 960), 'webp'),
  ];
  print('building BiT-R50x1 with random weights, int8 and fp32');
  const { defaultInt8, r50Int8Folder } = await publishBenchModels(folder, state, small, options.qdq ?? null);

  const coldStarts: ColdStart[] = [];
  for (let i = 0; i < COLD_STARTS; i++) coldStarts.push(await measureColdStart(state, small));
  const cold = coldStarts.sort((a, b) => a.firstAnswerMs - b.firstAnswerMs)[COLD_STARTS >> 1]!;
  print(
    `cold start, default model: first answer ${ms(cold.firstAnswerMs)} ms (manifest ${ms(cold.manifestMs)}, files and runtime ${ms(cold.filesMs)}, session ${ms(cold.sessionMs)})`,
  );

  const { loads, cpuMsPerRequest, memory: memoryDefault } = await measureDefault(state, small, mixed, print);
  print(memoryLine('default model', memoryDefault));
  const memoryR50 = await measureR50Memory(state, mixed);
  print(memoryLine('R50x1 int8', memoryR50));

  const inference = await measureInference(state, small, defaultInt8, r50Int8Folder, options);
  const medianOf = (side: string): number => inference.find((row) => row.side === side)?.medianMs ?? Number.NaN;
  const ratio = (a: string, b: string): number | null => rounded(medianOf(a) / medianOf(b));
  const busiest = loads.at(-1)!;
  return {
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load_average: loadavg()[0] },
    inference,
    cold_start: coldStarts,
    load: loads,
    cpu_ms_per_request: cpuMsPerRequest,
    memory: { default: memoryDefault, r50: memoryR50 },
    ratios: {
      r50_int8_vs_fp32: ratio('r50 int8', 'r50 fp32'),
      r50_int8_vs_node1: ratio('r50 int8', 'r50 int8, node'),
      r50_int8_vs_qdq: ratio('r50 int8', 'r50 qdq'),
      default_int8_vs_fp32: ratio('default int8', 'default fp32'),
    },
    peak_mib_r50_12mp: rounded(memoryR50.peakMib),
    peak_mib_default: rounded(memoryDefault.peakMib),
    cold_ms_default: rounded(cold.firstAnswerMs),
    rps_default: rounded(busiest.perSecond),
    p99_over_p50_c16: rounded(busiest.p99Ms / busiest.p50Ms),
    lost: loads.reduce((sum, { lost }) => sum + lost, 0),
  };
}

async function measureColdStart(state: string, image: Uint8Array): Promise<ColdStart> {
  const deployment = await deploy(state);
  const client = new LoadClient(deployment.url, 1);
  try {
    const answer = await client.post('/v1/classify', image);
    if (answer.status !== 200) throw new Error(`the first request was answered ${answer.status}: ${answer.body}`);
    return { firstAnswerMs: answer.ms, ...(await deployment.loadStages()) };
  } finally {
    client.close();
    await deployment.stop();
  }
}

async function measureDefault(
  state: string,
  small: Uint8Array,
  mixed: readonly Uint8Array[],
  print: (line: string) => void,
): Promise<{ loads: LoadResult[]; cpuMsPerRequest: number | null; memory: MemoryResult }> {
  const deployment = await deploy(state);
  try {
    await measureLoad(deployment.url, '/v1/classify', small, 1, WARM_REQUESTS);
    const loads: LoadResult[] = [];
    const before = await deployment.cpuMs();
    print('500x375 JPEG, default model   requests/s      p50      p95      p99   lost');
    for (const { concurrency, requests } of LOADS) {
      const load = await measureLoad(deployment.url, '/v1/classify', small, concurrency, requests);
      loads.push(load);
      const figures = [load.p50Ms, load.p95Ms, load.p99Ms].map((value) => value.toFixed(1).padStart(9)).join('');
      print(
        `  concurrency ${String(concurrency).padEnd(16)}${load.perSecond.toFixed(1).padStart(10)}${figures}${String(load.lost).padStart(7)}`,
      );
    }
    const after = await deployment.cpuMs();
    const total = loads.reduce((sum, { requests }) => sum + requests, 0);
    const cpuMsPerRequest = before === null || after === null ? null : (after - before) / total;
    if (cpuMsPerRequest !== null)
      print(`  processor time: ${ms(cpuMsPerRequest)} ms a request, wrangler's proxy included`);
    const memory = await measureMemory(deployment, '/v1/classify', mixed, MIXED_REQUESTS, WARM_REQUESTS);
    return { loads, cpuMsPerRequest, memory };
  } finally {
    await deployment.stop();
  }
}

async function measureR50Memory(state: string, mixed: readonly Uint8Array[]): Promise<MemoryResult> {
  const deployment = await deploy(state, { MAX_WAIT_MS: '60000' });
  try {
    const path = `/v1/classify?model=${MODELS.r50Int8}`;
    return await measureMemory(deployment, path, mixed, MIXED_REQUESTS, WARM_REQUESTS);
  } finally {
    await deployment.stop();
  }
}

/** Every side once a round, in an order that rotates. */
async function measureInference(
  state: string,
  image: Uint8Array,
  defaultInt8: string,
  r50Folder: string,
  { runs, qdq, print }: BenchOptions,
): Promise<InferenceRow[]> {
  const deployment = await deploy(state, { MEMORY_BUDGET_BYTES: String(LATENCY_BUDGET_BYTES) });
  const client = new LoadClient(deployment.url, 1);
  const sessions: NodeSession[] = [];
  const infer = (model: string) => async (): Promise<number> => {
    const answer = await client.post(`/v1/classify?model=${model}`, image);
    const { timing } = JSON.parse(answer.body) as { timing?: { inference_ms?: number } };
    if (timing?.inference_ms === undefined) throw new Error(`${model} was answered ${answer.status}: ${answer.body}`);
    return timing.inference_ms;
  };
  const sides: { side: string; run: () => Promise<number>; times: number[] }[] = [];
  const add = (side: string, run: () => Promise<number>): void => void sides.push({ side, run, times: [] });
  const addNode = async (side: string, file: string): Promise<void> => {
    const session = await openNodeSession(file, R50_SIDE_PX);
    if (session === null) {
      print(`${side}: skipped, onnxruntime-node is not installed; run "npm ci --prefix gpu-backend"`);
      return;
    }
    sessions.push(session);
    add(side, () => session.run());
  };
  try {
    add('r50 int8', infer(MODELS.r50Int8));
    add('r50 fp32', infer(MODELS.r50Fp32));
    await addNode('r50 int8, node', join(r50Folder, 'model.onnx'));
    if (qdq !== undefined) {
      add('r50 qdq', infer(MODELS.r50Qdq));
      await addNode('r50 qdq, node', qdq);
    }
    add('default int8', infer(defaultInt8));
    add('default fp32', infer(MODELS.defaultFp32));
    // Twice untimed: V8 compiles during the first run.
    for (let round = -2; round < runs; round++) {
      for (let i = 0; i < sides.length; i++) {
        const side = sides[(Math.max(0, round) + i) % sides.length]!;
        const taken = await side.run();
        if (round >= 0) side.times.push(taken);
      }
    }
  } finally {
    client.close();
    for (const session of sessions) session.close();
    await deployment.stop();
  }
  print('inference, ms                    median  fastest');
  return sides.map(({ side, times }) => {
    const row = { side, medianMs: median(times), fastestMs: Math.min(...times), runs: times.length };
    print(`  ${side.padEnd(28)}${ms(row.medianMs).padStart(9)}${ms(row.fastestMs).padStart(9)}`);
    return row;
  });
}

function memoryLine(name: string, memory: MemoryResult): string {
  const mib = (value: number): string => value.toFixed(1);
  return (
    `${name}: peak ${mib(memory.peakMib)} MiB (WASM ${mib(memory.wasmMib)}, JavaScript ${mib(memory.peakJsMib)} with its garbage), ` +
    `after collection ${mib(memory.steadyMib)}, growth ${mib(memory.growthMib)} after the first ${WARM_REQUESTS} of ` +
    `${memory.requests} requests, ${memory.failed} failed, ${memory.samples} samples`
  );
}

function ms(value: number): string {
  return value.toFixed(1);
}

/** Three decimals; null where it was not measured. */
function rounded(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value * 1000) / 1000 : null;
}
