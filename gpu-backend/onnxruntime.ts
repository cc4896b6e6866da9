/**
 * onnxruntime-node, found at run time: it is 290 MB and installed only with the backend (`npm ci --prefix gpu-backend`),
 * so nothing else of the project may need it to compile or start.
 */
import { createRequire } from 'node:module';
import type { Env, InferenceSession, Tensor } from 'onnxruntime-common';
import { ConfigurationError } from '../worker/errors.ts';

/** The part of onnxruntime-node that we use. */
export interface OnnxRuntime {
  readonly InferenceSession: typeof InferenceSession;
  readonly Tensor: typeof Tensor;
  readonly env: Env;
}

/**
 * Loads onnxruntime-node.
 * @throws ConfigurationError where it is not installed, or has no binary for this platform.
 */
export function loadOnnxRuntime(): OnnxRuntime {
  const require = createRequire(import.meta.url);
  try {
    const runtime: OnnxRuntime = require('onnxruntime-node');
    // A provider that does not load is reported in our own log, with its reason.
    runtime.env.logLevel = 'fatal';
    return runtime;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new ConfigurationError(`onnxruntime-node: ${reason}; run "npm ci --prefix gpu-backend"`, { cause });
  }
}
