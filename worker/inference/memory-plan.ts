/** What a model will take of the WASM heap, from its manifest alone. Pure. */
import type { Manifest, Variant } from '../../model-store/manifest.ts';
import { ModelError } from '../errors.ts';

const MIB = 1024 * 1024;

/** Memory of an isolate that is given out where the deployment says nothing else: what leaves room in the platform's 128 MB. */
export const DEFAULT_MEMORY_BUDGET_BYTES = 104 * MIB;

/** What JavaScript holds besides leases: the bundle, V8's own heap (measured: docs/bench/runtime.md). */
export const BASELINE_BYTES = 12 * MIB;

/** The heap of a runtime without a session. */
export const BASE_HEAP_BYTES = 16 * MIB;

/** Where a version was published without a measurement: its files once, half of them again for packed kernels, and activations. */
const UNMEASURED_FACTOR = 1.5;
const UNMEASURED_ACTIVATIONS_BYTES = 16 * MIB;

/** Bytes of the version's files: in JavaScript when its session begins to be made. The weights move into the heap then, piece by piece. */
export function transferBytes(variant: Variant): number {
  return variant.model.bytes + (variant.weights?.bytes ?? 0);
}

/**
 * Bytes by which a session of this variant makes the heap grow, at its peak with one image. Never less than its weights: what is
 * free in an empty heap counts for the first session only.
 */
export function sessionHeapBytes(variant: Variant): number {
  const files = transferBytes(variant);
  const peak = variant.wasm_heap_bytes ?? BASE_HEAP_BYTES + UNMEASURED_FACTOR * files + UNMEASURED_ACTIVATIONS_BYTES;
  return Math.max(files, Math.ceil(peak - BASE_HEAP_BYTES));
}

/** Bytes to lease for a load: the heap grows by what leaves JavaScript, but for the graph, which is in both until its session is made. */
export function loadBytes(variant: Variant, heapGrowthBytes: number): number {
  return Math.max(transferBytes(variant), heapGrowthBytes + variant.model.bytes);
}

/**
 * Checks that a version can ever run in an isolate.
 * @param availableBytes for the heap, and the graph beside it.
 * @throws ModelError `model_too_large` with the numbers.
 */
export function checkModelFits(manifest: Manifest, variant: Variant, availableBytes: number): void {
  const heap = BASE_HEAP_BYTES + sessionHeapBytes(variant);
  const needed = heap + variant.model.bytes;
  if (needed <= availableBytes) return;
  const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
  throw new ModelError(
    'model_too_large',
    `${manifest.name}@${manifest.version} needs ${mib(heap)} MiB of WASM heap, ${mib(needed)} MiB while it loads; an isolate has ${mib(availableBytes)} MiB`,
    { details: { needed_bytes: needed, available_bytes: availableBytes } },
  );
}
