/**
 * Memory and latency of a variant as the worker runs it, and whether its answer for one picture can be one: a program of its own, so
 * that the heap and V8's compiled code are those of one variant alone.
 *
 *     node --wasm-enforce-bounds-checks scripts/cli/onnx/measure-variant.ts FOLDER VARIANT HEIGHT WIDTH
 *
 * The flag has addresses checked, as they are in workerd.
 */
import { fileURLToPath } from 'node:url';
import { type Manifest, type VariantName, variantNameSchema } from '../../../model-store/manifest.ts';
import { AppError, ModelError } from '../../../worker/errors.ts';
import type { InferenceSession, Tensor } from '../../../worker/inference/inference-session.ts';
import { runProgram } from '../../process/run-program.ts';
import { readManifestFile } from '../files/manifest-file.ts';
import { checkTrial, trialInput } from './trial.ts';
import { openAsWorker, openVariant } from './variant-runner.ts';

/** Runs that are timed, behind one that is not: V8 compiles while that one runs. */
const TIMED_RUNS = 5;

/** What was measured, with one image and one thread. */
export interface Measurement {
  /** Who ran it, and would in a worker: the engine for BiT, or onnxruntime-web. */
  readonly engine: 'bit' | 'onnxruntime';
  /** WASM memory there, at its peak. */
  readonly heap_bytes: number;
  /** Peak of onnxruntime's heap, which never shrinks: what the version takes of a worker without the engine. */
  readonly wasm_heap_bytes: number;
  readonly create_ms: number;
  readonly first_run_ms: number;
  /** Median of the runs behind the first. */
  readonly run_ms: number;
}

/** What the program prints. */
type Printed = { readonly measured: Measurement } | { readonly fault: string };

/**
 * Measures a variant in a process of its own.
 * @throws ModelError `model_failed` where its answer cannot be one; Error where it does not run.
 */
export async function measureVariant(
  folder: string,
  variant: string,
  size: { readonly height: number; readonly width: number },
): Promise<Measurement> {
  const program = ['--wasm-enforce-bounds-checks', fileURLToPath(import.meta.url)];
  const args = [...program, folder, variant, String(size.height), String(size.width)];
  const { code, stdout, stderr } = await runProgram(args);
  if (code !== 0) throw new Error(stderr.trim() || `exit code ${code}`);
  const printed = JSON.parse(stdout) as Printed;
  if ('fault' in printed) throw new ModelError('model_failed', printed.fault);
  return printed.measured;
}

async function measure(folder: string, variantName: string, height: number, width: number): Promise<Printed> {
  const name = variantNameSchema.parse(variantName);
  const { manifest } = await readManifestFile(folder);
  const input = await trialInput(folder, manifest, name, { height, width });
  const outputs = manifest.variants[name]?.outputs.map((output) => output.name) ?? [];
  const usual = outputs.filter((output) => output === 'logits' || output === 'pooler_output');
  const answers = usual.length > 0 ? usual : outputs.slice(0, 1);
  const subject = { manifest, name, input };
  if (name === manifest.default_variant) {
    const { engine, session, createMs, heapBytes } = await openAsWorker(folder, manifest, 'auto');
    if (engine === 'bit') {
      const { times, fault } = run(subject, session, answers, TIMED_RUNS);
      if (fault !== null) return { fault };
      const wasm = await onnxruntimeHeap(folder, subject, answers, 1);
      const heaps = { heap_bytes: heapBytes(), wasm_heap_bytes: wasm.heapBytes };
      return { measured: { engine, ...heaps, create_ms: createMs, ...times } };
    }
    session.release();
  }
  const { heapBytes, createMs, times, fault } = await onnxruntimeHeap(folder, subject, answers, TIMED_RUNS);
  if (fault !== null) return { fault };
  const heaps = { heap_bytes: heapBytes, wasm_heap_bytes: heapBytes };
  return { measured: { engine: 'onnxruntime', ...heaps, create_ms: createMs, ...times } };
}

interface Subject {
  readonly manifest: Manifest;
  readonly name: VariantName;
  readonly input: Tensor;
}

interface Ran {
  readonly times: Pick<Measurement, 'first_run_ms' | 'run_ms'>;
  /** Why its answer cannot be one. */
  readonly fault: string | null;
}

/** The larger heap of a run for all answers and of one for the logits: it depends on the order of its blocks. */
async function onnxruntimeHeap(
  folder: string,
  subject: Subject,
  answers: readonly string[],
  timedRuns: number,
): Promise<Ran & { readonly heapBytes: number; readonly createMs: number }> {
  const open = () => openVariant(folder, subject.manifest, subject.name);
  const { session, runtime, createMs } = await open();
  const ran = run(subject, session, answers, timedRuns);
  if (answers.length < 2) return { ...ran, heapBytes: runtime.heapBytes, createMs };
  const classifying = await open();
  run(subject, classifying.session, ['logits'], 1);
  return { ...ran, heapBytes: Math.max(runtime.heapBytes, classifying.runtime.heapBytes), createMs };
}

function run(
  { manifest, name, input }: Subject,
  session: InferenceSession,
  fetches: readonly string[],
  timedRuns: number,
): Ran {
  const feeds = new Map([[manifest.variants[name]!.inputs[0]!.name, input]]);
  const times: number[] = [];
  let fault: string | null = null;
  for (let count = 0; count <= timedRuns; count++) {
    const start = performance.now();
    const outputs = session.run(feeds, fetches);
    times.push(performance.now() - start);
    if (count === 0) fault = faultOf(() => checkTrial(manifest, name, outputs));
  }
  const [first, ...rest] = times;
  rest.sort((a, b) => a - b);
  return { times: { first_run_ms: first!, run_ms: rest[Math.floor(rest.length / 2)]! }, fault };
}

function faultOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}

if (import.meta.main) {
  const [folder, variant, height, width] = process.argv.slice(2);
  try {
    process.stdout.write(JSON.stringify(await measure(folder ?? '', variant ?? '', Number(height), Number(width))));
  } catch (error) {
    process.stderr.write(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
