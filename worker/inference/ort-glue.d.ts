/** The Emscripten glue that onnxruntime-web ships beside its WASM file; it has no types of its own. */
declare module 'onnxruntime-web/ort-wasm-simd-threaded.mjs' {
  /** The part of the glue and of onnxruntime's C API for the web that `runtime.ts` and `session.ts` call. Pointers are byte offsets into the WASM heap. */
  export interface OrtGlue {
    readonly HEAPU8: Uint8Array;
    readonly HEAP32: Int32Array;
    readonly HEAPU32: Uint32Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    stackSave(): number;
    stackRestore(stack: number): void;
    stackAlloc(bytes: number): number;
    UTF8ToString(pointer: number): string;
    mountExternalData(path: string, data: ExternalData): void;
    unmountExternalData(): void;
    _OrtInit(threads: number, logLevel: number): number;
    _OrtGetLastError(codeOut: number, messageOut: number): number;
    _OrtCreateSessionOptions(
      optimizationLevel: number,
      cpuMemoryArena: boolean,
      memoryPattern: boolean,
      executionMode: number,
      profiling: boolean,
      profilePrefix: number,
      logId: number,
      logSeverity: number,
      logVerbosity: number,
      optimizedModelPath: number,
    ): number;
    _OrtReleaseSessionOptions(options: number): number;
    _OrtCreateSession(model: number, bytes: number, options: number): number;
    _OrtReleaseSession(session: number): number;
    _OrtGetInputOutputCount(session: number, inputsOut: number, outputsOut: number): number;
    _OrtGetInputOutputMetadata(session: number, index: number, nameOut: number, metadataOut: number): number;
    _OrtFree(pointer: number): void;
    _OrtCreateTensor(type: number, data: number, bytes: number, dims: number, rank: number, location: number): number;
    _OrtGetTensorData(tensor: number, typeOut: number, dataOut: number, dimsOut: number, rankOut: number): number;
    _OrtReleaseTensor(tensor: number): number;
    _OrtCreateRunOptions(logSeverity: number, logVerbosity: number, terminate: boolean, tag: number): number;
    _OrtReleaseRunOptions(options: number): number;
    _OrtRun(
      session: number,
      inputNames: number,
      inputs: number,
      inputCount: number,
      outputNames: number,
      outputCount: number,
      outputs: number,
      options: number,
    ): number;
  }

  /** What a file of external data must offer; the glue copies `subarray(offset, offset + length)` into the heap. */
  export interface ExternalData {
    readonly byteLength: number;
    subarray(begin: number, end: number): Uint8Array;
  }

  /** Options of the Emscripten module. */
  export interface GlueOptions {
    numThreads: number;
    print?(line: string): void;
    printErr?(line: string): void;
    instantiateWasm(
      imports: WebAssembly.Imports,
      done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
    ): void;
  }

  const createGlue: (options: GlueOptions) => Promise<OrtGlue>;
  export default createGlue;
}

declare module 'onnxruntime-web/ort-wasm-simd-threaded.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
