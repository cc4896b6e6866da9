/**
 * The WASM files as workerd has them: compiled when the worker is deployed, since workerd forbids compiling at run time.
 * onnxruntime-web's by path, because wrangler does not resolve the package's `.wasm` export.
 */
import onnxruntime from '../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm';
import engine from './engine/kernels/engine.wasm';
import quantizedGemm from './kernels/quantized-gemm.wasm';
import type { WasmModules } from './runtime.ts';

export const wasmModules: WasmModules = { onnxruntime, quantizedGemm, engine };
