/**
 * Products of the engine in GMAC/s, beside the ceiling of the instruction that they are made of: a program of its own, `node
 * --wasm-enforce-bounds-checks products.ts MODEL WEIGHTS`, which gives workerd's times.
 */
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import loadWabt from 'wabt';
import { Executor } from '../../../worker/inference/engine/executor.ts';
import { winogradTile } from '../../../worker/inference/engine/kernel-needs.ts';
import { planMemory } from '../../../worker/inference/engine/memory-plan.ts';
import type { ConvolutionStep, Int8Network, StemStep } from '../../../worker/inference/engine/network.ts';
import { recognize } from '../../../worker/inference/engine/recognize.ts';
import { WeightsWriter } from '../../../worker/inference/engine/weights-writer.ts';
import { readBytes } from '../../cli/files/read-file.ts';
import { compileWasm } from '../../cli/local-model.ts';
import { runProgram } from '../../process/run-program.ts';

const WARM_RUNS = 8;
const TIMED_RUNS = 21;

/** Sums that the ceiling keeps in registers: enough of them to hide the latency of an instruction. */
const SUMS = 12;
const MACS_PER_DOT = 8;
const DOT_ROUNDS = 100_000;
const DOT_RUNS = 200;

/** The least times of one image's steps; GMAC/s are those of the direct form. */
export interface Products {
  /** All convolutions, group statistics and residual sums included. */
  readonly gmacs: number;
  readonly gmacsDirect: number;
  readonly gmacsWinograd: number;
  readonly productMs: number;
  /** Norms, the pool over all positions, the classifier. */
  readonly restMs: number;
  /** Multiplying pairs and adding them up in registers, nothing loaded: `i32x4.dot_i16x8_s`, `i32x4.add`. */
  readonly gmacsCeiling: number;
}

/** Measures an int8 graph in a process of its own. @throws Error where the engine does not run it. */
export async function measureProducts(modelFile: string, weightsFile: string): Promise<Products> {
  const args = ['--wasm-enforce-bounds-checks', fileURLToPath(import.meta.url), modelFile, weightsFile];
  const { code, stdout, stderr } = await runProgram(args);
  if (code !== 0) throw new Error(`measuring the products of ${modelFile} ended with exit code ${code}: ${stderr}`);
  return JSON.parse(stdout) as Products;
}

async function measure(modelFile: string, weightsFile: string): Promise<Products> {
  const weights = await readBytes(weightsFile);
  const recognition = recognize(await readBytes(modelFile), { path: basename(weightsFile), bytes: weights.byteLength });
  if (recognition.kind === 'other') throw new Error(`the engine does not run ${modelFile}: ${recognition.reason}`);
  const { network } = recognition;
  const plan = planMemory(network)!;
  const executor = new Executor((await compileWasm()).engine, network, plan);
  const writer = new WeightsWriter(executor, network, plan);
  writer.write(weights);
  writer.finish();
  const { channels, height, width } = network.input;
  const pixels = Float32Array.from({ length: channels * height * width }, (_, i) => Math.sin(i));
  const least = new Array<number>(network.steps.length).fill(Number.POSITIVE_INFINITY);
  for (let run = -WARM_RUNS; run < TIMED_RUNS; run++) {
    new Float32Array(executor.memory.buffer, plan.pixels, pixels.length).set(pixels);
    for (let step = 0; step < network.steps.length; step++) {
      const start = performance.now();
      executor.run(step);
      const taken = performance.now() - start;
      if (run >= 0) least[step] = Math.min(least[step]!, taken);
    }
  }
  const sums = { direct: { ms: 0, macs: 0 }, winograd: { ms: 0, macs: 0 } };
  let restMs = 0;
  for (const [index, step] of network.steps.entries()) {
    if (step.kind !== 'convolution' && step.kind !== 'stem') {
      restMs += least[index]!;
      continue;
    }
    const isWinograd = step.kind === 'convolution' && winogradTile(step, network) !== null;
    const sum = isWinograd ? sums.winograd : sums.direct;
    sum.ms += least[index]!;
    sum.macs += macsOf(step, network);
  }
  const { direct, winograd } = sums;
  const productMs = direct.ms + winograd.ms;
  return {
    gmacs: (direct.macs + winograd.macs) / productMs / 1e6,
    gmacsDirect: direct.macs / direct.ms / 1e6,
    gmacsWinograd: winograd.macs / winograd.ms / 1e6,
    productMs,
    restMs,
    gmacsCeiling: await measureCeiling(),
  };
}

/** Multiply-accumulates of a convolution in its direct form. */
function macsOf(step: ConvolutionStep | StemStep, { values, input }: Int8Network): number {
  const outputs = values[step.output]!;
  const [inputs, height, width] =
    step.kind === 'stem'
      ? [input.channels, step.height, step.width]
      : [values[step.input]!.channels, outputs.height, outputs.width];
  return height * width * outputs.channels * inputs * step.window.kernel ** 2;
}

/** GMAC/s of sums of products of registers. */
async function measureCeiling(): Promise<number> {
  const names = Array.from({ length: SUMS }, (_, index) => `$s${index}`);
  const add = (sum: string): string =>
    `(local.set ${sum} (i32x4.add (local.get ${sum}) (i32x4.dot_i16x8_s (local.get ${sum}) (local.get $factor))))`;
  const source = `(module (func (export "run") (param $rounds i32) (param $seed i32) (result i32)
    (local $factor v128) ${names.map((name) => `(local ${name} v128)`).join(' ')}
    (local.set $factor (i16x8.splat (local.get $seed)))
    ${names.map((name, index) => `(local.set ${name} (i32x4.splat (i32.const ${index + 1})))`).join('\n')}
    (loop $again ${names.map(add).join('\n')}
      (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (i32x4.extract_lane 0 ${names.reduce((sum, name) => `(i32x4.add ${sum} (local.get ${name}))`, '(local.get $factor)')})))`;
  const module = (await loadWabt()).parseWat('ceiling.wat', source, { simd: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.toBinary({}).buffer)));
  module.destroy();
  const run = exports.run as (rounds: number, seed: number) => number;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= DOT_RUNS; i++) {
    const start = performance.now();
    run(DOT_ROUNDS, i);
    if (i > 0) least = Math.min(least, performance.now() - start);
  }
  return (DOT_ROUNDS * SUMS * MACS_PER_DOT) / least / 1e6;
}

if (import.meta.main) {
  const [modelFile = '', weightsFile = ''] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(await measure(modelFile, weightsFile)));
}
