/**
 * One onnxruntime session: its inputs and outputs, and `run`.
 */
import { ModelError, RuntimeError } from '../errors.ts';
import type { InferenceSession, Tensor, ValueInfo } from './inference-session.ts';
import { type OrtCalls, outOfMemory } from './ort-calls.ts';

/** Element types that are read or written here, with their numbers in ONNX's TensorProto.DataType. */
const ELEMENT_TYPES = { float32: 1, uint8: 2 } as const;
const DATA_LOCATION_CPU = 1;

interface NamedValue extends ValueInfo {
  readonly namePointer: number;
}

/** A loaded graph. Belongs to one runtime, and dies with it. */
export class OrtSession implements InferenceSession {
  readonly #runtime: OrtCalls;
  readonly #handle: number;
  readonly #inputs: readonly NamedValue[];
  readonly #outputs: readonly NamedValue[];
  readonly #runOptions: number;
  #released = false;

  constructor(runtime: OrtCalls, handle: number) {
    this.#runtime = runtime;
    this.#handle = handle;
    const { glue } = runtime;
    const stack = glue.stackSave();
    const out = glue.stackAlloc(8);
    runtime.check(glue._OrtGetInputOutputCount(handle, out, out + 4), 'count inputs and outputs');
    const inputCount = glue.HEAP32[out >> 2]!;
    const outputCount = glue.HEAP32[(out >> 2) + 1]!;
    glue.stackRestore(stack);
    const values = Array.from({ length: inputCount + outputCount }, (_, index) => readValue(runtime, handle, index));
    this.#inputs = values.slice(0, inputCount);
    this.#outputs = values.slice(inputCount);
    this.#runOptions = glue._OrtCreateRunOptions(3, 0, false, 0);
    if (this.#runOptions === 0) runtime.fail('create run options');
  }

  get released(): boolean {
    return this.#released;
  }

  /** The runtime whose heap holds this session. */
  get runtime(): OrtCalls {
    return this.#runtime;
  }

  get abortReason(): string | null {
    return this.#runtime.abortReason;
  }

  get inputs(): readonly ValueInfo[] {
    return this.#inputs;
  }

  get outputs(): readonly ValueInfo[] {
    return this.#outputs;
  }

  /**
   * Runs the graph and copies the outputs named in `fetches` out of the heap.
   * @throws ModelError `model_failed` if the graph cannot be run; RuntimeError `inference_failed`, with `runtime.abortReason` set if
   * the instance is lost.
   */
  run(feeds: ReadonlyMap<string, Tensor>, fetches: readonly string[]): Map<string, Tensor> {
    const runtime = this.#runtime;
    const { glue } = runtime;
    if (this.#released) throw new RuntimeError('inference_failed', 'the session is released', { retryAfterSeconds: 1 });
    const inputs = this.#inputs.map((value) => pick(feeds.get(value.name), `input "${value.name}" is missing`));
    const outputs = fetches.map((name) =>
      pick(
        this.#outputs.find((value) => value.name === name),
        `the graph has no output "${name}"`,
      ),
    );
    const tensors: number[] = [];
    const buffers: number[] = [];
    const stack = glue.stackSave();
    try {
      for (const tensor of inputs) {
        const bytes = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
        const buffer = runtime.guard(() => glue._malloc(bytes.byteLength));
        if (buffer === 0) throw outOfMemory(`allocate ${bytes.byteLength} bytes`);
        buffers.push(buffer);
        glue.HEAPU8.set(bytes, buffer);
        const dims = pushAll(runtime, tensor.shape);
        const type = ELEMENT_TYPES[tensor.type];
        const handle = runtime.guard(() =>
          glue._OrtCreateTensor(type, buffer, bytes.byteLength, dims, tensor.shape.length, DATA_LOCATION_CPU),
        );
        if (handle === 0) runtime.failModel('create an input tensor');
        tensors.push(handle);
      }
      const inputNames = pushNames(runtime, this.#inputs);
      const inputValues = pushAll(runtime, tensors);
      const outputNames = pushNames(runtime, outputs);
      const outputValues = pushAll(runtime, new Array<number>(outputs.length).fill(0));
      const code = runtime.guard(() =>
        glue._OrtRun(
          this.#handle,
          inputNames,
          inputValues,
          inputs.length,
          outputNames,
          outputs.length,
          outputValues,
          this.#runOptions,
        ),
      );
      if (code !== 0) runtime.failModel('run the graph');
      const handles = Array.from(glue.HEAPU32.subarray(outputValues >> 2, (outputValues >> 2) + outputs.length));
      tensors.push(...handles);
      return new Map(handles.map((handle, index) => [outputs[index]!.name, readTensor(runtime, handle)]));
    } finally {
      if (runtime.abortReason === null) {
        for (const tensor of tensors) glue._OrtReleaseTensor(tensor);
        for (const buffer of buffers) glue._free(buffer);
        glue.stackRestore(stack);
      }
    }
  }

  /** Frees the session's memory inside the heap; safe to call twice, and after an abort. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { glue } = this.#runtime;
    if (this.#runtime.abortReason !== null) return;
    for (const value of [...this.#inputs, ...this.#outputs]) glue._OrtFree(value.namePointer);
    glue._OrtReleaseRunOptions(this.#runOptions);
    glue._OrtReleaseSession(this.#handle);
  }
}

function pick<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new ModelError('model_failed', message);
  return value;
}

/** Copies 32-bit values onto the WASM stack; the caller restores it. */
function pushAll(runtime: OrtCalls, values: readonly number[]): number {
  const { glue } = runtime;
  const pointer = glue.stackAlloc(4 * values.length);
  glue.HEAPU32.set(values, pointer >> 2);
  return pointer;
}

function pushNames(runtime: OrtCalls, values: readonly NamedValue[]): number {
  return pushAll(
    runtime,
    values.map((value) => value.namePointer),
  );
}

function readValue(runtime: OrtCalls, session: number, index: number): NamedValue {
  const { glue } = runtime;
  const stack = glue.stackSave();
  const out = glue.stackAlloc(8);
  runtime.check(glue._OrtGetInputOutputMetadata(session, index, out, out + 4), 'describe an input or output');
  const namePointer = glue.HEAPU32[out >> 2]!;
  const metadata = glue.HEAPU32[(out >> 2) + 1]!;
  glue.stackRestore(stack);
  // 32 bits each: element type, rank, a pointer to the symbolic name of every dimension (0: none), every size
  const at = metadata >> 2;
  const rank = glue.HEAPU32[at + 1]!;
  const shape = Array.from({ length: rank }, (_, axis) => {
    const symbol = glue.HEAPU32[at + 2 + axis]!;
    return symbol === 0 ? glue.HEAP32[at + 2 + rank + axis]! : glue.UTF8ToString(symbol);
  });
  glue._OrtFree(metadata);
  return { name: glue.UTF8ToString(namePointer), namePointer, shape };
}

function readTensor(runtime: OrtCalls, handle: number): Tensor {
  const { glue } = runtime;
  const stack = glue.stackSave();
  const out = glue.stackAlloc(16);
  runtime.check(glue._OrtGetTensorData(handle, out, out + 4, out + 8, out + 12), 'read an output');
  const type = glue.HEAPU32[out >> 2]!;
  const data = glue.HEAPU32[(out >> 2) + 1]!;
  const dims = glue.HEAPU32[(out >> 2) + 2]!;
  const rank = glue.HEAPU32[(out >> 2) + 3]!;
  glue.stackRestore(stack);
  const shape = Array.from(glue.HEAPU32.subarray(dims >> 2, (dims >> 2) + rank));
  glue._OrtFree(dims);
  const elements = shape.reduce((product, size) => product * size, 1);
  if (type === ELEMENT_TYPES.uint8) return { type: 'uint8', shape, data: copyOut(runtime, data, elements) };
  if (type !== ELEMENT_TYPES.float32) {
    throw new ModelError('model_failed', `output of ONNX element type ${type}: only float32 and uint8 are read`);
  }
  return { type: 'float32', shape, data: new Float32Array(copyOut(runtime, data, 4 * elements).buffer) };
}

/** Copies bytes out of the (shared) heap into memory of their own. */
function copyOut(runtime: OrtCalls, pointer: number, bytes: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  copy.set(runtime.glue.HEAPU8.subarray(pointer, pointer + bytes));
  return copy;
}
