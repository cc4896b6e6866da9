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
    { side: SIDES.r50Int8Onnxruntime, medianMs: 280.3, fastestMs: 270.4, runs: 7 },
    { side: SIDES.r50Fp32, medianMs: 402.2, fastestMs: 371.3, runs: 7 },
    { side: SIDES.r50Int8Node, medianMs: 69.4, fastestMs: 61.5, runs: 7 },
    { side: SIDES.r50Qdq, medianMs: 245.6, fastestMs: 231.7, runs: 7 },
    { side: SIDES.r50QdqNode, medianMs: 41.8, fastestMs: 40.9, runs: 7 },
    { side: SIDES.r50Int8At448, medianMs: 801.2, fastestMs: 790.1, runs: 7 },
    { side: SIDES.r50Int8At448Onnxruntime, medianMs: 1201.3, fastestMs: 1190.2, runs: 7 },
    { side: SIDES.r50Fp32At448, medianMs: 2003, fastestMs: 1980.5, runs: 7 },
    { side: SIDES.defaultInt8, medianMs: 6.1, fastestMs: 5.2, runs: 7 },
    { side: SIDES.defaultInt8Onnxruntime, medianMs: 8.2, fastestMs: 7.1, runs: 7 },
    { side: SIDES.defaultFp32, medianMs: 9.3, fastestMs: 8.4, runs: 7 },
  ],
  coldStarts: [
    { firstAnswerMs: 1003.5, manifestMs: 139.1, filesMs: 62.2, sessionMs: 575.3 },
    { firstAnswerMs: 718.6, manifestMs: 106.4, filesMs: 43.5, sessionMs: 392.6 },
    { firstAnswerMs: 935.7, manifestMs: 133.7, filesMs: 44.8, sessionMs: 525.9 },
  ],
  coldR50: {
    engine: [{ firstAnswerMs: 310.1, manifestMs: 9.1, filesMs: 60.2, sessionMs: 1.3 }],
    onnxruntime: [{ firstAnswerMs: 620.2, manifestMs: 9.4, filesMs: 80.3, sessionMs: 230.1 }],
  },
  creation: { engineMs: 41.3, onnxruntimeMs: 251.9, engineHeapMib: 30.1, onnxruntimeHeapMib: 52.7 },
  products: { gmacs: 46.5, gmacsDirect: 36.7, gmacsWinograd: 87.3, productMs: 87.8, restMs: 3.9, gmacsCeiling: 46.6 },
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
  memoryR101At448: memory(98.7, 89.1, 62.8),
  failures: {},
};

/** Nothing measured. */
export const NOTHING: RuntimeParts = {
  ...PARTS,
  inference: null,
  coldStarts: null,
  coldR50: null,
  creation: null,
  products: null,
  load: null,
  memoryDefault: null,
  memoryR50: null,
  memoryR50At448: null,
  memoryR101At448: null,
};
