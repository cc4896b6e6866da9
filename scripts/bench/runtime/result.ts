/** The result of the runtime suite. Pure, no I/O. */
import { median } from '../suite.ts';
import type { ColdPair, ColdStart } from './cold-start.ts';
import type { Creation } from './creation.ts';
import type { LoadResult } from './load.ts';
import type { Machine } from './machine.ts';
import type { MemoryResult } from './memory.ts';
import type { Products } from './products.ts';

/** What is wanted of the default model, R50x1 and R101x1. */
export const TARGETS = {
  coldMs: 1000,
  requestsPerSecond: 60,
  p99OverP50: 4,
  defaultPeakMib: 48,
  r50PeakMib: 70,
  r50At448PeakMib: 100,
  /** An isolate has 128 MB, some of which is not the worker's. */
  r101At448PeakMib: 110,
  r50HeapMib: 44,
  r50At448HeapMib: 64,
  r101At448HeapMib: 90,
  createMs: 60,
  /** By the names of the ratios; one that is missing is for information. */
  ratios: {
    r50_int8_vs_fp32: 0.3,
    r50_int8_vs_qdq: 0.42,
    r50_int8_vs_node1: 5,
    default_int8_vs_fp32: 0.33,
    cold_r50_vs_onnxruntime: 0.6,
  } as Readonly<Record<string, number>>,
} as const;

/** Sides of the inference comparison, by what the ratios need of them. */
export const SIDES = {
  r50Int8: 'r50 int8',
  r50Int8Onnxruntime: 'r50 int8, onnxruntime',
  r50Fp32: 'r50 fp32',
  r50Qdq: 'r50 qdq',
  r50Int8Node: 'r50 int8, node',
  r50QdqNode: 'r50 qdq, node',
  r50Int8At448: 'r50 448 px int8',
  r50Int8At448Onnxruntime: 'r50 448 px int8, onnxruntime',
  r50Fp32At448: 'r50 448 px fp32',
  defaultInt8: 'default int8',
  defaultInt8Onnxruntime: 'default int8, onnxruntime',
  defaultFp32: 'default fp32',
} as const;

/** Name of a side. */
export type Side = (typeof SIDES)[keyof typeof SIDES];

/** One side's inference. */
export interface InferenceRow {
  readonly side: Side;
  readonly medianMs: number;
  readonly fastestMs: number;
  readonly runs: number;
}

/** What the phases found; null where a phase was left out or failed. */
export interface RuntimeParts {
  readonly machine: Machine;
  readonly inference: readonly InferenceRow[] | null;
  readonly coldStarts: readonly ColdStart[] | null;
  readonly coldR50: ColdPair | null;
  readonly creation: Creation | null;
  readonly products: Products | null;
  readonly load: { readonly loads: readonly LoadResult[]; readonly cpuMsPerRequest: number | null } | null;
  readonly memoryDefault: MemoryResult | null;
  readonly memoryR50: MemoryResult | null;
  readonly memoryR50At448: MemoryResult | null;
  readonly memoryR101At448: MemoryResult | null;
  /** Message by phase. */
  readonly failures: Readonly<Record<string, string>>;
}

/** What `--json` prints and runtime.json holds; null for what was not measured. */
export interface RuntimeResult {
  readonly machine: Machine;
  readonly inference: readonly InferenceRow[] | null;
  /** The fastest first. */
  readonly cold_start: readonly ColdStart[] | null;
  /** R50x1's, in the order in which they came. */
  readonly cold_start_r50: ColdPair | null;
  readonly products: Products | null;
  readonly load: readonly LoadResult[] | null;
  readonly cpu_ms_per_request: number | null;
  readonly memory: {
    readonly default: MemoryResult | null;
    readonly r50: MemoryResult | null;
    readonly r50_448: MemoryResult | null;
    readonly r101_448: MemoryResult | null;
  };
  readonly failures: Readonly<Record<string, string>>;
  readonly ratios: {
    readonly r50_int8_vs_fp32: number | null;
    /** Against the fastest int8 form of onnxruntime-node that was measured. */
    readonly r50_int8_vs_node1: number | null;
    readonly r50_int8_vs_qdq: number | null;
    readonly r50_int8_vs_onnxruntime: number | null;
    readonly r50_448_int8_vs_fp32: number | null;
    readonly r50_448_int8_vs_onnxruntime: number | null;
    readonly default_int8_vs_fp32: number | null;
    readonly default_int8_vs_onnxruntime: number | null;
    /** First answers of fresh isolates, medians. */
    readonly cold_r50_vs_onnxruntime: number | null;
  };
  /** From R50x1's files in memory to a session: in the engine, and in onnxruntime-web, both in Node. */
  readonly create_ms_r50: number | null;
  readonly create_ms_r50_onnxruntime: number | null;
  /** Products of the engine, and what their instructions reach in registers. */
  readonly gmacs_products: number | null;
  readonly gmacs_dot_ceiling: number | null;
  readonly ms_r50_448: number | null;
  readonly heap_mib_r50_224: number | null;
  readonly heap_mib_r50_448: number | null;
  /** The same of R50x1 in onnxruntime-web, in Node. */
  readonly heap_mib_r50_224_onnxruntime: number | null;
  readonly heap_mib_r101_448: number | null;
  readonly peak_mib_r50_12mp: number | null;
  readonly peak_mib_r50_448_12mp: number | null;
  readonly peak_mib_r101_448_12mp: number | null;
  /** Requests of the memory phase at 448 px that were not answered with 200. */
  readonly failed_r50_448: number | null;
  readonly failed_r101_448: number | null;
  readonly peak_mib_default: number | null;
  readonly cold_ms_default: number | null;
  readonly rps_default: number | null;
  readonly p99_over_p50_c16: number | null;
  readonly lost: number | null;
}

/** Puts the result together. */
export function summarize(parts: RuntimeParts): RuntimeResult {
  const { machine, inference, memoryDefault, memoryR50, memoryR50At448, memoryR101At448, failures } = parts;
  const medians = new Map(inference?.map(({ side, medianMs }) => [side, medianMs]));
  const medianOf = (side: Side): number => medians.get(side) ?? Number.NaN;
  const fastest = (...sides: readonly Side[]): number => {
    const measured = sides.map(medianOf).filter(Number.isFinite);
    return measured.length === 0 ? Number.NaN : Math.min(...measured);
  };
  const ratio = (a: number, b: number): number | null => rounded(a / b);
  const coldStarts = parts.coldStarts?.toSorted((a, b) => a.firstAnswerMs - b.firstAnswerMs) ?? null;
  const loads = parts.load?.loads ?? null;
  const busiest = loads?.at(-1);
  const int8 = medianOf(SIDES.r50Int8);
  const int8At448 = medianOf(SIDES.r50Int8At448);
  const firstAnswer = (starts: readonly ColdStart[] | undefined): number =>
    starts === undefined ? Number.NaN : median(starts.map((start) => start.firstAnswerMs));
  return {
    machine,
    inference,
    cold_start: coldStarts,
    cold_start_r50: parts.coldR50,
    products: parts.products,
    load: loads,
    cpu_ms_per_request: parts.load?.cpuMsPerRequest ?? null,
    memory: { default: memoryDefault, r50: memoryR50, r50_448: memoryR50At448, r101_448: memoryR101At448 },
    failures,
    ratios: {
      r50_int8_vs_fp32: ratio(int8, medianOf(SIDES.r50Fp32)),
      r50_int8_vs_node1: ratio(int8, fastest(SIDES.r50Int8Node, SIDES.r50QdqNode)),
      r50_int8_vs_qdq: ratio(int8, medianOf(SIDES.r50Qdq)),
      r50_int8_vs_onnxruntime: ratio(int8, medianOf(SIDES.r50Int8Onnxruntime)),
      r50_448_int8_vs_fp32: ratio(int8At448, medianOf(SIDES.r50Fp32At448)),
      r50_448_int8_vs_onnxruntime: ratio(int8At448, medianOf(SIDES.r50Int8At448Onnxruntime)),
      default_int8_vs_fp32: ratio(medianOf(SIDES.defaultInt8), medianOf(SIDES.defaultFp32)),
      default_int8_vs_onnxruntime: ratio(medianOf(SIDES.defaultInt8), medianOf(SIDES.defaultInt8Onnxruntime)),
      cold_r50_vs_onnxruntime: ratio(firstAnswer(parts.coldR50?.engine), firstAnswer(parts.coldR50?.onnxruntime)),
    },
    create_ms_r50: rounded(parts.creation?.engineMs),
    create_ms_r50_onnxruntime: rounded(parts.creation?.onnxruntimeMs),
    gmacs_products: rounded(parts.products?.gmacs),
    gmacs_dot_ceiling: rounded(parts.products?.gmacsCeiling),
    ms_r50_448: rounded(int8At448),
    heap_mib_r50_224: heapOf(memoryR50),
    heap_mib_r50_448: heapOf(memoryR50At448),
    heap_mib_r50_224_onnxruntime: rounded(parts.creation?.onnxruntimeHeapMib),
    heap_mib_r101_448: heapOf(memoryR101At448),
    peak_mib_r50_12mp: peakOf(memoryR50),
    peak_mib_r50_448_12mp: peakOf(memoryR50At448),
    peak_mib_r101_448_12mp: peakOf(memoryR101At448),
    failed_r50_448: memoryR50At448?.failed ?? null,
    failed_r101_448: memoryR101At448?.failed ?? null,
    peak_mib_default: peakOf(memoryDefault),
    cold_ms_default: coldStarts === null ? null : rounded(median(coldStarts.map((start) => start.firstAnswerMs))),
    rps_default: rounded(busiest?.perSecond),
    p99_over_p50_c16: busiest === undefined ? null : ratio(busiest.p99Ms, busiest.p50Ms),
    lost: loads?.reduce((sum, { lost }) => sum + lost, 0) ?? null,
  };
}

/** Null where requests failed too: a worker that does not do its work needs little memory. */
function peakOf(memory: MemoryResult | null): number | null {
  return memory === null || memory.failed > 0 ? null : rounded(memory.peakMib);
}

/** The same of the WASM heap. */
function heapOf(memory: MemoryResult | null): number | null {
  return memory === null || memory.failed > 0 ? null : rounded(memory.wasmMib);
}

/** Three decimals; null where it was not measured. */
export function rounded(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? Math.round(value * 1000) / 1000 : null;
}
