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

/** Bytes of the version's files that are in JavaScript while it is loaded. */
export function transferBytes(variant: Variant): number {
  return variant.model.bytes + (variant.weights?.bytes ?? 0);
}

/** Bytes by which a session of this variant makes the heap grow, at its peak with one image. */
export function sessionHeapBytes(variant: Variant): number {
  const peak =
    variant.wasm_heap_bytes ??
    BASE_HEAP_BYTES + UNMEASURED_FACTOR * transferBytes(variant) + UNMEASURED_ACTIVATIONS_BYTES;
  return Math.max(0, Math.ceil(peak - BASE_HEAP_BYTES));
}

/**
 * Checks that a version can ever run in an isolate.
 * @param availableBytes for heap and files together.
 * @throws ModelError `model_too_large` with the numbers.
 */
export function checkModelFits(manifest: Manifest, variant: Variant, availableBytes: number): void {
  const heap = BASE_HEAP_BYTES + sessionHeapBytes(variant);
  const needed = heap + transferBytes(variant);
  if (needed <= availableBytes) return;
  const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
  throw new ModelError(
    'model_too_large',
    `${manifest.name}@${manifest.version} needs ${mib(heap)} MiB of WASM heap and ${mib(transferBytes(variant))} MiB while it loads; an isolate has ${mib(availableBytes)} MiB for both`,
    { details: { needed_bytes: needed, available_bytes: availableBytes } },
  );
}
