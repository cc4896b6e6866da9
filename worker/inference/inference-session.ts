/** What a loaded graph can do, whoever runs it. */

/** A dense tensor in JavaScript memory, row-major. */
export type Tensor =
  | { readonly type: 'float32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'uint8'; readonly shape: readonly number[]; readonly data: Uint8Array };

/** A session's input or output as the graph declares it; a free dimension is its name. */
export interface ValueInfo {
  readonly name: string;
  readonly shape: readonly (number | string)[];
}

/** A loaded graph. Every call is synchronous: two runs never overlap. */
export interface InferenceSession {
  /** Graph inputs, in order. */
  readonly inputs: readonly ValueInfo[];
  /** Graph outputs, in order. */
  readonly outputs: readonly ValueInfo[];
  /** True once `release` was called: another version has taken this one's place. */
  readonly released: boolean;
  /** Why this session can never be used again (a WASM trap or abort), or null. */
  readonly abortReason: string | null;
  /**
   * Runs the graph and gives the outputs named in `fetches`, in memory of their own.
   * @throws ModelError `model_failed`; RuntimeError `inference_failed`, with `abortReason` set where the session is lost.
   */
  run(feeds: ReadonlyMap<string, Tensor>, fetches: readonly string[]): Map<string, Tensor>;
  /** Frees the session's memory; safe to call twice, and after an abort. */
  release(): void;
}
