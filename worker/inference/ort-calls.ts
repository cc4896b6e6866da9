/** What a session needs of the runtime that holds it: calls into onnxruntime's WASM build, each with its errors. */
import type { OrtGlue } from 'onnxruntime-web/ort-wasm-simd-threaded.mjs';
import { RuntimeError } from '../errors.ts';

/** onnxruntime's C API behind guards; `OrtRuntime` is the one implementation. */
export interface OrtCalls {
  readonly glue: OrtGlue;
  /** Why the runtime can never be used again (a WASM trap or abort), or null. */
  readonly abortReason: string | null;
  /** Calls into WASM; a trap or abort marks the runtime as dead. @throws RuntimeError `inference_failed`. */
  guard<T>(call: () => T): T;
  /** Throws onnxruntime's last error if `code` is not 0. @throws RuntimeError `inference_failed`. */
  check(code: number, what: string): void;
  /** @throws RuntimeError `inference_failed`, always. */
  fail(what: string): never;
  /** @throws ModelError `model_failed` if the graph is to blame; RuntimeError `inference_failed`; always. */
  failModel(what: string): never;
}

/** The error of a heap that cannot grow. */
export function outOfMemory(what: string, cause?: Error): RuntimeError {
  const options = { retryAfterSeconds: 1, ...(cause === undefined ? {} : { cause }) };
  return new RuntimeError('inference_failed', `onnxruntime could not ${what}: its heap is full`, options);
}
