/**
 * Starts onnxruntime's WASM build and owns its heap. This folder is the only importer of onnxruntime-web, and binds its
 * C API directly: the package's own front end cannot be started from a compiled module without patching
 * `WebAssembly.instantiate`, cannot be started again after an abort, and hides its heap (docs/decisions/001).
 * No workerd and no Node in it: the compiled module is passed in.
 */
import createGlue, { type ExternalData, type OrtGlue } from 'onnxruntime-web/ort-wasm-simd-threaded.mjs';
import { ModelError, RuntimeError } from '../errors.ts';
import { type OrtCalls, outOfMemory } from './ort-calls.ts';
import { installQuantizedGemm } from './quantized-gemm.ts';
import { OrtSession } from './session.ts';

const LOG_LEVEL_ERROR = 3;
/** The graphs of the model store have nothing left to optimize: the same speed, sessions a fifth sooner, every weight read once. */
const OPTIMIZATION_NONE = 0;
const EXECUTION_SEQUENTIAL = 0;

/** How often Emscripten tries to grow the heap, by 20, 10 and 5 % of its size and at least by what is needed. */
const GROWTH_TRIES = 3;

/** Compiled WASM files. */
export interface WasmModules {
  /** onnxruntime-web's `ort-wasm-simd-threaded.wasm`. */
  readonly onnxruntime: WebAssembly.Module;
  /** `kernels/quantized-gemm.wasm`; null for onnxruntime's own. */
  readonly quantizedGemm: WebAssembly.Module | null;
  /** `engine/kernels/engine.wasm`. */
  readonly engine: WebAssembly.Module;
}

/** How a session is made. */
export interface SessionOptions {
  /** Files that the graph names as external data, by path. */
  readonly externalData?: ReadonlyMap<string, ExternalData>;
}

/**
 * One instance of onnxruntime: its own heap, any number of sessions. Every call is synchronous (this build has neither
 * threads nor asyncify), so two inferences can never overlap, and a request that goes away can never leave one half done.
 */
export class OrtRuntime implements OrtCalls {
  readonly glue: OrtGlue;
  readonly #memory: WebAssembly.Memory;
  #abortReason: string | null = null;
  #hasOwnGemm = false;

  private constructor(glue: OrtGlue, memory: WebAssembly.Memory) {
    this.glue = glue;
    this.#memory = memory;
  }

  /**
   * Instantiates onnxruntime with one thread, and with our kernel where there is one.
   * @throws RuntimeError `inference_failed` where onnxruntime does not start.
   */
  static async start({ onnxruntime, quantizedGemm }: Omit<WasmModules, 'engine'>): Promise<OrtRuntime> {
    let memory: WebAssembly.Memory | undefined;
    let exports: WebAssembly.Exports = {};
    const glue = await new Promise<OrtGlue>((resolve, reject) => {
      callOutsideNode(() =>
        createGlue({
          numThreads: 1,
          print: () => {},
          printErr: () => {},
          instantiateWasm(imports, done) {
            memory = findMemory(imports);
            if (memory !== undefined) growFrugally(memory);
            WebAssembly.instantiate(onnxruntime, imports).then((instance) => {
              exports = instance.exports;
              done(instance, onnxruntime);
            }, reject);
          },
        }),
      ).then(resolve, reject);
    });
    if (memory === undefined) throw new RuntimeError('inference_failed', 'onnxruntime: the glue imports no memory');
    const runtime = new OrtRuntime(glue, memory);
    runtime.#hasOwnGemm = quantizedGemm !== null && installQuantizedGemm(quantizedGemm, exports, memory);
    runtime.check(glue._OrtInit(1, LOG_LEVEL_ERROR), 'start');
    return runtime;
  }

  /** True where 8-bit products are computed by our kernel. */
  get hasOwnGemm(): boolean {
    return this.#hasOwnGemm;
  }

  /** Bytes of the WASM heap; it only ever grows. */
  get heapBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Why this runtime can never be used again (a WASM trap or abort), or null. */
  get abortReason(): string | null {
    return this.#abortReason;
  }

  /**
   * Makes a session from a serialized ONNX graph. The bytes are copied; nothing of them is kept in JavaScript.
   * @throws ModelError `model_failed` if onnxruntime refuses the graph; RuntimeError `inference_failed`.
   */
  createSession(model: Uint8Array, options: SessionOptions = {}): OrtSession {
    const { glue } = this;
    if (this.#abortReason !== null) throw this.#abort(this.#abortReason);
    const sessionOptions = this.guard(() =>
      glue._OrtCreateSessionOptions(
        OPTIMIZATION_NONE,
        // No arena, which would keep freed activations, and no memory pattern, which would set them all aside as one block:
        // both are larger than what is alive at any time.
        false,
        false,
        EXECUTION_SEQUENTIAL,
        false,
        0,
        0,
        LOG_LEVEL_ERROR,
        0,
        0,
      ),
    );
    if (sessionOptions === 0) this.fail('create session options');
    const pointer = this.guard(() => glue._malloc(model.byteLength));
    try {
      if (pointer === 0) throw outOfMemory(`allocate ${model.byteLength} bytes`);
      glue.HEAPU8.set(model, pointer);
      for (const [path, data] of options.externalData ?? []) glue.mountExternalData(path, data);
      const handle = this.guard(() => glue._OrtCreateSession(pointer, model.byteLength, sessionOptions));
      if (handle === 0) this.failModel('create a session');
      return new OrtSession(this, handle);
    } finally {
      glue.unmountExternalData();
      if (this.#abortReason === null) {
        if (pointer !== 0) glue._free(pointer);
        glue._OrtReleaseSessionOptions(sessionOptions);
      }
    }
  }

  /** Calls into WASM; a trap or abort marks the runtime as dead. @throws RuntimeError `inference_failed`. */
  guard<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      throw this.#abort(cause);
    }
  }

  /** Throws onnxruntime's last error where `code` is not 0. */
  check(code: number, what: string): void {
    if (code !== 0) this.fail(what);
  }

  /**
   * What onnxruntime says of its last failure is the error's `cause`: it is for logs, not for callers.
   * @throws RuntimeError `inference_failed`, always.
   */
  fail(what: string): never {
    const { code, cause } = this.#lastError();
    throw new RuntimeError('inference_failed', `onnxruntime could not ${what} (error ${code})`, { cause });
  }

  /**
   * The same for what a graph is to blame for, unless memory ran out.
   * @throws ModelError `model_failed`; RuntimeError `inference_failed`; always.
   */
  failModel(what: string): never {
    const { code, cause } = this.#lastError();
    if (/alloc/i.test(cause.message)) throw outOfMemory(what, cause);
    throw new ModelError('model_failed', `onnxruntime could not ${what} (error ${code})`, { cause });
  }

  #lastError(): { readonly code: number; readonly cause: Error } {
    const { glue } = this;
    const stack = glue.stackSave();
    const out = glue.stackAlloc(8);
    glue._OrtGetLastError(out, out + 4);
    const code = glue.HEAP32[out >> 2] ?? 0;
    const message = glue.HEAPU32[(out >> 2) + 1] ?? 0;
    const text = message === 0 ? 'no message' : glue.UTF8ToString(message);
    glue.stackRestore(stack);
    return { code, cause: new Error(text) };
  }

  #abort(cause: unknown): RuntimeError {
    this.#abortReason = cause instanceof Error ? cause.message : String(cause);
    return new RuntimeError('inference_failed', 'onnxruntime aborted; the next request starts it anew', {
      cause,
      retryAfterSeconds: 1,
    });
  }
}

/**
 * Calls with `globalThis.process` out of sight. The glue looks at it once, before its first await, to see whether it runs in Node;
 * workerd has one too, but not the `createRequire(import.meta.url)` that the glue then asks for.
 */
function callOutsideNode<T>(call: () => T): T {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'process');
  if (descriptor === undefined) return call();
  Object.defineProperty(globalThis, 'process', { configurable: true, writable: true, value: undefined });
  try {
    return call();
  } finally {
    Object.defineProperty(globalThis, 'process', descriptor);
  }
}

/**
 * Makes the heap grow in its smallest steps. Emscripten asks for a fifth more than there is, then for less where it is refused;
 * what it got is never given back, and an isolate has no fifth to spare.
 */
function growFrugally(memory: WebAssembly.Memory): void {
  const grow = memory.grow.bind(memory);
  let tries = 0;
  memory.grow = (pages) => {
    tries++;
    if (tries < GROWTH_TRIES) throw new RangeError('a smaller step will do');
    tries = 0;
    return grow(pages);
  };
}

function findMemory(imports: WebAssembly.Imports): WebAssembly.Memory | undefined {
  for (const namespace of Object.values(imports)) {
    for (const value of Object.values(namespace)) {
      if (value instanceof WebAssembly.Memory) return value;
    }
  }
  return undefined;
}
