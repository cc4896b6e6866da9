/**
 * Puts our 8-bit matrix product (kernels/quantized-gemm.wat) in the place of onnxruntime's, in a running instance: MLAS calls its
 * own through the function table, so another function in that slot is all it takes. The result has the same bits, in two thirds
 * of the time where the engine checks every address (docs/decisions/011).
 */

/** MlasGemmQuantOperation of onnxruntime-web 1.30.0's `ort-wasm-simd-threaded.wasm`: its slot in the table, and its number. */
const OPERATION_SLOT = 1403;
const OPERATION_NUMBER = '6172';

/** Pages of 64 KiB for packed blocks, as the kernel lays them out. */
export const PACKED_PAGES = 5;

/**
 * Installs the kernel.
 * @param exports of onnxruntime's instance, the function table among them.
 * @returns false where this is another build of onnxruntime, which goes on with its own.
 */
export function installQuantizedGemm(
  kernel: WebAssembly.Module,
  exports: WebAssembly.Exports,
  memory: WebAssembly.Memory,
): boolean {
  const table = Object.values(exports).find((value) => value instanceof WebAssembly.Table);
  if (table === undefined || table.length <= OPERATION_SLOT) return false;
  const operation: unknown = table.get(OPERATION_SLOT);
  // Functions that WebAssembly exports are named by their number (WebAssembly JavaScript Interface, "name of the WebAssembly function").
  if (typeof operation !== 'function' || operation.name !== OPERATION_NUMBER) return false;
  const packed = new WebAssembly.Memory({ initial: PACKED_PAGES, maximum: PACKED_PAGES });
  const instance = new WebAssembly.Instance(kernel, { kernel: { packed }, onnxruntime: { memory, operation, table } });
  table.set(OPERATION_SLOT, instance.exports.operation);
  return true;
}
