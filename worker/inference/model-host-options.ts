/** What a model host is made of. */
import type { StartDigest } from '../../model-store/digest.ts';
import type { BlobCache } from '../../model-store/load.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { LoadReport } from './model-loader.ts';
import type { EngineChoice } from './prepare-variant.ts';
import type { WasmModules } from './runtime.ts';

/** What a host needs. */
export interface ModelHostOptions {
  readonly store: ObjectStore;
  readonly blobs: BlobCache | null;
  readonly budget: MemoryBudget;
  /** Bytes that an isolate has for its models' heap: `modelRoomBytes`. */
  readonly modelBytes: number;
  readonly wasmModules: WasmModules;
  /** Who runs models. */
  readonly engine: EngineChoice;
  readonly aliasMaxAgeMs: number;
  readonly startDigest: StartDigest;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Called for failures that no request sees: the loaded version goes on answering. */
  onBackgroundError(error: unknown, model: string): void;
  onLoaded(model: string, report: LoadReport): void;
}
