import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import loadWabt from 'wabt';
import { parseManifest } from '../../../model-store/manifest.ts';
import { ensureDefaultModel } from '../../../scripts/cli/default-model.ts';
import { compileWasm } from '../../../scripts/cli/local-model.ts';
import { assembleKernel } from '../../../scripts/kernels/build-kernel.ts';
import { PACKED_PAGES } from '../../../worker/inference/quantized-gemm.ts';
import { OrtRuntime, type WasmModules } from '../../../worker/inference/runtime.ts';

const KERNEL_FILE = new URL('../../../worker/inference/kernels/quantized-gemm.wasm', import.meta.url);
const SHAPE = 1024;
const DATA = 1100;
const ZERO_POINT_B = 1200;
const PROCESSOR = 1204;
const MATRICES = 2048;
/** Stands where nothing may be written, and before the product is. */
const UNTOUCHED = 0x5a5a5a5a;

let modules: WasmModules;
const memory = new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true });
const bytes = new Uint8Array(memory.buffer);
const words = new Int32Array(memory.buffer);
const table = new WebAssembly.Table({ element: 'anyfunc', initial: 2 });
const fallbacks: number[][] = [];
let operation: (...args: number[]) => void;

beforeAll(async () => {
  modules = await compileWasm();
  const instance = new WebAssembly.Instance(modules.quantizedGemm!, {
    kernel: { packed: new WebAssembly.Memory({ initial: PACKED_PAGES, maximum: PACKED_PAGES }) },
    onnxruntime: {
      memory,
      operation: (...args: number[]) => void fallbacks.push(args),
      table,
    },
  });
  operation = instance.exports.operation as (...args: number[]) => void;
});

/** `call` as a WebAssembly function of seven integers: what a table takes. */
async function makeProcess(call: (...args: number[]) => void): Promise<WebAssembly.ExportValue> {
  const type = `(param${' i32'.repeat(7)})`;
  const locals = Array.from({ length: 7 }, (_, index) => `(local.get ${index})`).join(' ');
  const text = `(module (import "t" "f" (func $f ${type})) (func (export "p") ${type} (call $f ${locals})))`;
  const wabt = await loadWabt();
  const module = await WebAssembly.compile(new Uint8Array(wabt.parseWat('process.wat', text).toBinary({}).buffer));
  return new WebAssembly.Instance(module, { t: { f: call } }).exports.p!;
}

/** A matrix product, and the part of it that is asked for. */
interface Problem {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly zeroA: number;
  readonly zeroB: number;
  /** Rows and columns to compute; all by default. */
  readonly range?: readonly [startM: number, countM: number, startN: number, countN: number];
  /** Elements between rows beyond what they need. */
  readonly gap?: number;
}

/** Runs the kernel on random bytes, and compares all of C with the sum by definition: what was not asked for is untouched. */
function check({ m, n, k, zeroA, zeroB, range = [0, m, 0, n], gap = 0 }: Problem): void {
  const [lda, ldb, ldc] = [k + gap, n + gap, n + gap];
  const a = MATRICES;
  const b = a + m * lda;
  const c = Math.ceil((b + k * ldb) / 4) * 4;
  let state = m * 31 + n * 17 + k * 7 + zeroA;
  for (let at = a; at < c; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Extremes are frequent: sums must not saturate.
    bytes[at] = (state >>> 8) % 5 === 0 ? 255 : state >>> 24;
  }
  words.fill(UNTOUCHED, c / 4, c / 4 + m * ldc + 8);
  words.set([m, n, k, 0], SHAPE / 4);
  words.set([a, lda, zeroA, b, ldb, ZERO_POINT_B, 0, c, ldc, 0], DATA / 4);
  bytes[ZERO_POINT_B] = zeroB;
  operation(SHAPE, DATA, ...range);
  const [startM, countM, startN, countN] = range;
  const expected = new Int32Array(m * ldc + 8).fill(UNTOUCHED);
  for (let row = startM; row < startM + countM; row++) {
    for (let column = startN; column < startN + countN; column++) {
      let sum = 0;
      for (let i = 0; i < k; i++) {
        sum += (bytes[a + row * lda + i]! - zeroA) * (bytes[b + i * ldb + column]! - zeroB);
      }
      expected[row * ldc + column] = sum;
    }
  }
  const got = words.slice(c / 4, c / 4 + m * ldc + 8);
  const wrong = got.findIndex((value, i) => value !== expected[i]);
  expect(wrong, `${m} x ${k} x ${n}: element ${wrong} is ${got[wrong]}, not ${expected[wrong]}`).toBe(-1);
}

describe('the 8-bit matrix product', () => {
  it('is exact for every small shape', () => {
    for (let m = 1; m <= 9; m++) {
      for (let n = 1; n <= 18; n++) {
        for (const k of [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33]) check({ m, n, k, zeroA: 128, zeroB: 0 });
      }
    }
  });

  it.each([
    [15, 255, 511],
    [16, 256, 512],
    [17, 257, 513],
    [33, 520, 1040],
    [64, 300, 147],
    [49, 512, 1536],
    [1, 1000, 2048],
  ])('is exact around its blocks: %d x %d, depth %d', (m, n, k) => {
    check({ m, n, k, zeroA: 128, zeroB: 0 });
    check({ m, n, k, zeroA: 0, zeroB: 255 });
  });

  it('takes any zero points', () => {
    for (const zeroA of [0, 1, 127, 128, 255]) {
      for (const zeroB of [0, 3, 128, 254, 255]) check({ m: 6, n: 13, k: 21, zeroA, zeroB });
    }
  });

  it('computes the rows and columns of a range, and writes nothing else', () => {
    check({ m: 20, n: 40, k: 24, zeroA: 128, zeroB: 7, range: [3, 9, 5, 19], gap: 3 });
    check({ m: 20, n: 40, k: 24, zeroA: 128, zeroB: 7, range: [0, 20, 32, 8], gap: 5 });
    check({ m: 20, n: 40, k: 24, zeroA: 128, zeroB: 7, range: [19, 1, 39, 1] });
  });

  it('hands the sums to an output processor, once they are all there', async () => {
    const range = [3, 9, 5, 19] as const;
    check({ m: 20, n: 40, k: 600, zeroA: 128, zeroB: 7, range });
    const c = words[(DATA + 28) / 4]!;
    const sums = words.slice(c / 4, c / 4 + 20 * 40);
    words.fill(UNTOUCHED, c / 4, c / 4 + 20 * 40);
    const calls: { args: number[]; seen: Int32Array }[] = [];
    const process = await makeProcess((...args) => {
      calls.push({ args, seen: words.slice(c / 4, c / 4 + 20 * 40) });
    });
    table.set(1, process);
    // The processor's first word points to its virtual functions, of which the first is number 1 of the table.
    words.set([PROCESSOR + 4, 1], PROCESSOR / 4);
    words[(DATA + 36) / 4] = PROCESSOR;
    operation(SHAPE, DATA, ...range);
    expect(calls).toEqual([{ args: [PROCESSOR, c, 3, 5, 9, 19, 40], seen: sums }]);
  });

  it.each([
    ['signed A', SHAPE + 12],
    ['signed B', SHAPE + 13],
    ['sums onto C', SHAPE + 14],
    ['packed B', DATA + 24],
    ['a zero point for each column', DATA + 25],
  ])('leaves %s to onnxruntime', (_, flag) => {
    check({ m: 4, n: 8, k: 8, zeroA: 128, zeroB: 0 });
    fallbacks.length = 0;
    bytes[flag] = 1;
    operation(SHAPE, DATA, 0, 4, 0, 8);
    expect(fallbacks).toEqual([[SHAPE, DATA, 0, 4, 0, 8]]);
  });
});

describe('in onnxruntime', () => {
  it('takes the place of its own product', async () => {
    expect((await OrtRuntime.start(modules)).hasOwnGemm).toBe(true);
    expect((await OrtRuntime.start({ ...modules, quantizedGemm: null })).hasOwnGemm).toBe(false);
  });

  it('gives the default model the same logits, to the bit', async () => {
    const { directory } = await ensureDefaultModel();
    const manifest = parseManifest(await readFile(join(directory, 'manifest.json'), 'utf8'));
    const { model, weights } = manifest.variants.int8!;
    const graph = await readFile(join(directory, model.path));
    const externalData = new Map([[weights!.path, await readFile(join(directory, weights!.path))]]);
    const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => ((i * 2654435761) >>> 0) / 2 ** 31 - 1);
    const logits = [];
    for (const quantizedGemm of [modules.quantizedGemm, null]) {
      const runtime = await OrtRuntime.start({ ...modules, quantizedGemm });
      const session = runtime.createSession(graph, { externalData });
      const feeds = new Map([['pixel_values', { type: 'float32', shape: [1, 3, 64, 64], data } as const]]);
      logits.push(session.run(feeds, ['logits']).get('logits')!.data);
    }
    expect(logits[0]!.length).toBe(manifest.num_labels);
    expect(logits[0]).toEqual(logits[1]);
  });
});

it('is the file that its text assembles to: run "npm run kernel"', async () => {
  expect(Buffer.compare(await assembleKernel(), await readFile(KERNEL_FILE))).toBe(0);
});
