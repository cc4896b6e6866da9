/** A result of the runtime suite, with figures that can be told from each other. */
import type { MemoryResult } from '../../../../scripts/bench/runtime/memory.ts';
import { type RuntimeParts, SIDES } from '../../../../scripts/bench/runtime/result.ts';

const memory = (peakMib: number, steadyMib: number, wasmMib: number): MemoryResult => ({
  peakMib,
  steadyMib,
  wasmMib,
  peakJsMib: peakMib - wasmMib,
  growthMib: 0.07,
  requests: 200,
  warmRequests: 20,
  failed: 0,
  unsent: 0,
  samples: 400,
});

/** Everything measured. */
export const PARTS: RuntimeParts = {
  machine: {
    cpu: 'A <fast> & "quiet" CPU',
    cores: 2,
    load_average: 0.4,
    node: '24.21.0',
    wrangler: '4.164.0',
    workerd: '1.20261117.1',
    onnxruntime_web: '1.30.0',
    onnxruntime_node: '1.30.0',
    measured_at: '2026-11-25T23:17:00.713Z',
  },
  inference: [
    { side: SIDES.r50Int8, medianMs: 201.1, fastestMs: 191.2, runs: 7 },
    { side: SIDES.r50Fp32, medianMs: 402.2, fastestMs: 371.3, runs: 7 },
    { side: SIDES.r50Int8Node, medianMs: 69.4, fastestMs: 61.5, runs: 7 },
    { side: SIDES.r50Qdq, medianMs: 245.6, fastestMs: 231.7, runs: 7 },
    { side: SIDES.r50QdqNode, medianMs: 41.8, fastestMs: 40.9, runs: 7 },
    { side: SIDES.r50Int8At448, medianMs: 801.2, fastestMs: 790.1, runs: 7 },
    { side: SIDES.r50Fp32At448, medianMs: 2003, fastestMs: 1980.5, runs: 7 },
    { side: SIDES.defaultInt8, medianMs: 6.1, fastestMs: 5.2, runs: 7 },
    { side: SIDES.defaultFp32, medianMs: 9.3, fastestMs: 8.4, runs: 7 },
  ],
  coldStarts: [
    { firstAnswerMs: 1003.5, manifestMs: 139.1, filesMs: 62.2, sessionMs: 575.3 },
    { firstAnswerMs: 718.6, manifestMs: 106.4, filesMs: 43.5, sessionMs: 392.6 },
    { firstAnswerMs: 935.7, manifestMs: 133.7, filesMs: 44.8, sessionMs: 525.9 },
  ],
  creation: { engineMs: 41.3, onnxruntimeMs: 251.9 },
  load: {
    loads: [
      { concurrency: 1, requests: 500, lost: 0, perSecond: 43.5, p50Ms: 19.7, p95Ms: 40.2, p99Ms: 54.9 },
      { concurrency: 4, requests: 500, lost: 1, perSecond: 69.4, p50Ms: 58.3, p95Ms: 76.1, p99Ms: 89.5 },
      { concurrency: 16, requests: 1000, lost: 2, perSecond: 64.2, p50Ms: 232.9, p95Ms: 390.7, p99Ms: 433.6 },
    ],
    cpuMsPerRequest: 15.2,
  },
  memoryDefault: memory(82.1, 25.9, 16.3),
  memoryR50: memory(115.4, 67.6, 57.8),
  memoryR50At448: memory(108.7, 99.1, 61.2),
  failures: {},
};

/** Nothing measured. */
export const NOTHING: RuntimeParts = {
  ...PARTS,
  inference: null,
  coldStarts: null,
  load: null,
  memoryDefault: null,
  memoryR50: null,
  memoryR50At448: null,
};
