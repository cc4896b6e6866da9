/**
 * What the memory of an isolate is divided into, and what a model takes of it. `bit-edge publish` and the worker ask the same
 * functions, so that what is published is also served. Pure.
 *
 *     budget = baseline + heap + the image at hand (its body, its decode), and what is left for more of them
 */
import type { Manifest, Variant } from '../../model-store/manifest.ts';
import { ModelError } from '../errors.ts';

const MIB = 1024 * 1024;

/** Memory of an isolate that is given out unless the deployment says otherwise: it leaves room in the platform's 128 MB. */
export const DEFAULT_MEMORY_BUDGET_BYTES = 104 * MIB;

/** What JavaScript holds besides leases: the bundle, V8's own heap (measured: docs/bench/runtime.md). */
export const BASELINE_BYTES = 12 * MIB;

/** Room for one body beside a model: a 12 MP JPEG takes 3.5 MiB. */
const BODY_RESERVE_BYTES = 4 * MIB;

/** Room for its decode: a 12 MP photo takes 3.9 MiB at most on its way to 448 px (progressive JPEG, `exact`). */
const DECODE_RESERVE_BYTES = 4 * MIB;

/** What bodies leave free for a decode where there is more room than for one of each. */
const DECODE_HEADROOM_BYTES = 8 * MIB;

/** The heap of an onnxruntime without a session. */
export const BASE_HEAP_BYTES = 16 * MIB;

/**
 * By how much onnxruntime's heap may exceed its measured peak: its blocks lie where there was room, which depends on what ran
 * before. 3.1 MiB was seen with R50x1 at 448 px, 5.3 MiB beside another model.
 */
const HEAP_MARGIN_BYTES = 4 * MIB;

/** If a version was published without a measurement: its files once, half of them again for packed kernels, and activations. */
const UNMEASURED_FACTOR = 1.5;
const UNMEASURED_ACTIVATIONS_BYTES = 16 * MIB;

/** What one session takes, in bytes: known before anything of it is read. */
export interface SessionMemory {
  /** Heap of its runtime without a session. Sessions of one runtime share it; 0 if the session has a memory of its own. */
  readonly runtimeBytes: number;
  /** By how much the session makes the heap grow, at its peak with one image. */
  readonly sessionBytes: number;
  /** By how much that may be exceeded; 0 if it is planned to the byte. */
  readonly marginBytes: number;
  /** The version's files: in JavaScript when the session begins to be made. Weights move into the heap then, piece by piece. */
  readonly transferBytes: number;
  /** The graph among them: in both until the session is made. */
  readonly graphBytes: number;
}

/**
 * What a session of onnxruntime takes, by the manifest. Never less than its weights: what is free in an empty heap counts for the
 * first session only.
 */
export function sessionMemory(variant: Variant): SessionMemory {
  const transferBytes = variant.model.bytes + (variant.weights?.bytes ?? 0);
  const unmeasured = BASE_HEAP_BYTES + UNMEASURED_FACTOR * transferBytes + UNMEASURED_ACTIVATIONS_BYTES;
  const peakBytes = variant.wasm_heap_bytes ?? unmeasured;
  return {
    runtimeBytes: BASE_HEAP_BYTES,
    sessionBytes: Math.max(transferBytes, Math.ceil(peakBytes - BASE_HEAP_BYTES)),
    marginBytes: HEAP_MARGIN_BYTES,
    transferBytes,
    graphBytes: variant.model.bytes,
  };
}

/** What the heap comes to once each of the sessions has run; 0 without one. */
export function plannedHeapBytes(sessions: Iterable<SessionMemory>): number {
  let runtimeBytes = 0;
  let sum = 0;
  for (const session of sessions) {
    runtimeBytes = Math.max(runtimeBytes, session.runtimeBytes);
    sum += session.sessionBytes;
  }
  return runtimeBytes + sum;
}

/** Bytes to lease for a load: the heap grows by what leaves JavaScript, but for the graph. */
export function loadBytes({ transferBytes, graphBytes }: SessionMemory, heapGrowthBytes: number): number {
  return Math.max(transferBytes, heapGrowthBytes + graphBytes);
}

/** What a budget has for models, so that there is room for one image beside them. */
export function modelRoomBytes(budgetBytes: number): number {
  return budgetBytes - BASELINE_BYTES - BODY_RESERVE_BYTES - DECODE_RESERVE_BYTES;
}

/** The largest body that there is room for beside a heap of this size, in bytes. */
export function bodyRoomBytes(budgetBytes: number, heapBytes: number): number {
  const freeBytes = budgetBytes - BASELINE_BYTES - heapBytes;
  return Math.max(0, freeBytes - decodeHeadroomBytes(freeBytes));
}

/** What bodies leave of `freeBytes`, so that one of them can always be decoded: less where there is hardly room for a body. */
export function decodeHeadroomBytes(freeBytes: number): number {
  return Math.min(DECODE_HEADROOM_BYTES, Math.max(DECODE_RESERVE_BYTES, freeBytes - BODY_RESERVE_BYTES));
}

/**
 * Checks that a version can answer in an isolate that has nothing else loaded.
 * @param roomBytes `modelRoomBytes` of the budget.
 * @throws ModelError `model_too_large` with the numbers.
 */
export function checkModelFits(manifest: Manifest, memory: SessionMemory, roomBytes: number): void {
  const heap = plannedHeapBytes([memory]);
  const needed = Math.max(heap + memory.marginBytes, memory.runtimeBytes + loadBytes(memory, memory.sessionBytes));
  if (needed > roomBytes) throw modelTooLarge(manifest, heap, needed, roomBytes);
}

/** True for a version without a variant that an isolate could load. */
export function isForGpuAlone(manifest: Pick<Manifest, 'default_variant'>): boolean {
  return manifest.default_variant === 'gpu';
}

/** The error of such a version, wherever an isolate is to run it. */
export function forGpuAlone({ name, version }: Pick<Manifest, 'name' | 'version'>): ModelError {
  return new ModelError(
    'model_too_large',
    `${name}@${version} has a "gpu" variant alone: it is too large for an isolate. A deployment with a GPU backend runs it in bulk ` +
      'jobs: POST /v1/jobs',
    { details: { model: name, version } },
  );
}

/** The error of a version that cannot answer in an isolate. */
export function modelTooLarge(
  { name, version }: Pick<Manifest, 'name' | 'version'>,
  heapBytes: number,
  neededBytes: number,
  roomBytes: number,
): ModelError {
  return new ModelError(
    'model_too_large',
    `${name}@${version} needs ${mib(neededBytes)} MiB (WASM heap ${mib(heapBytes)} MiB); an isolate has ` +
      `${mib(Math.max(0, roomBytes))} MiB for a model, which leaves room for one image beside it`,
    { details: { heap_bytes: heapBytes, needed_bytes: neededBytes, available_bytes: roomBytes } },
  );
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
