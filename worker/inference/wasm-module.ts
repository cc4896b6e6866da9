/**
 * onnxruntime-web's WASM file as workerd has it: compiled when the worker is deployed, since workerd forbids compiling at run time.
 * By path, because wrangler does not resolve the package's `.wasm` export.
 */
import wasmModule from '../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm';

export { wasmModule };
