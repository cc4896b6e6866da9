/** What the server's thread and the engine's thread say to each other. Buffers are transferred, not copied. */
import type { Datatype } from '../worker/oip/datatypes.ts';

/** The execution providers we try, best first. */
export const PROVIDERS = ['cuda', 'webgpu', 'cpu'] as const;
/** One of `PROVIDERS`. */
export type Provider = (typeof PROVIDERS)[number];

/** The type of a graph's weights and arithmetic; `unknown` where we cannot read the graph, but onnxruntime may. */
export type Precision = 'float16' | 'float32' | 'unknown';

/** A tensor between threads: its bytes, row-major, little-endian. */
export interface RawTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly buffer: ArrayBuffer;
}

/** How to load a model. */
export interface LoadRequest {
  readonly kind: 'load';
  /** Names the session in later requests. */
  readonly session: string;
  /** Path of the `.onnx` file; external data lies beside it. */
  readonly path: string;
  /** Tried in order until one loads, runs and, except for `cpu`, agrees with `cpu`. */
  readonly providers: readonly Provider[];
  /** Threads of the CPU provider; 0: onnxruntime's choice. */
  readonly threads: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: Datatype;
    readonly rowShape: readonly number[];
  }[];
  readonly outputs: readonly string[];
  /** Batch sizes that are run before the model counts as loaded. */
  readonly warmBatches: readonly number[];
}

/** How to run one batch. */
export interface RunRequest {
  readonly kind: 'run';
  readonly session: string;
  readonly inputs: readonly RawTensor[];
  readonly outputs: readonly string[];
}

/** Frees a session, or, with null, all of them and the thread. */
export interface ReleaseRequest {
  readonly kind: 'release';
  readonly session: string | null;
}

/** A request to the engine. */
export type EngineRequest = LoadRequest | RunRequest | ReleaseRequest;

/** A provider that was tried and did not do, and why. */
export interface RejectedProvider {
  readonly provider: Provider;
  readonly precision: Precision;
  readonly reason: string;
}

/** What came of a load. */
export interface LoadResult {
  readonly provider: Provider;
  readonly precision: Precision;
  readonly rejected: readonly RejectedProvider[];
  readonly loadMs: number;
  readonly warmUpMs: number;
  /** Largest difference of any output from the CPU provider's, relative to that output's largest magnitude; null on `cpu` itself. */
  readonly deviation: number | null;
}

/** What came of a run. */
export interface RunResult {
  readonly outputs: readonly RawTensor[];
  readonly computeMs: number;
}

/** An answer of the engine to the request of that number. */
export type EngineReply =
  | { readonly id: number; readonly ok: true; readonly result: LoadResult | RunResult | null }
  | { readonly id: number; readonly ok: false; readonly message: string };
