/**
 * Memory and latency of a variant in onnxruntime-web: a program of its own, so that the heap and V8's compiled code are
 * those of one variant alone.
 *
 *     node scripts/cli/onnx/measure-variant.ts FOLDER VARIANT HEIGHT WIDTH
 */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Manifest, type VariantName, variantNameSchema } from '../../../model-store/manifest.ts';
import { readManifestFile } from '../files/manifest-file.ts';
import { openVariant } from './variant-runner.ts';

/** Runs that are timed, behind one that is not: V8 compiles while that one runs. */
const TIMED_RUNS = 5;

/** What was measured, with one image and one thread. */
export interface Measurement {
  /** Peak of the WASM heap: it never shrinks. */
  readonly wasm_heap_bytes: number;
  readonly create_ms: number;
  readonly first_run_ms: number;
  /** Median of the runs behind the first. */
  readonly run_ms: number;
}

/** Measures a variant in a process of its own. */
export async function measureVariant(
  folder: string,
  variant: string,
  size: { readonly height: number; readonly width: number },
): Promise<Measurement> {
  const args = [fileURLToPath(import.meta.url), folder, variant, String(size.height), String(size.width)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(stderr.trim() || `exit code ${code}`);
  return JSON.parse(stdout) as Measurement;
}

async function measure(folder: string, variantName: string, height: number, width: number): Promise<Measurement> {
  const name = variantNameSchema.parse(variantName);
  const { manifest } = await readManifestFile(folder);
  const outputs = manifest.variants[name]?.outputs.map((output) => output.name) ?? [];
  const answers = outputs.filter((output) => output === 'logits' || output === 'pooler_output');
  const measured = await measureOutputs(folder, manifest, name, { height, width }, answers);
  if (answers.length < 2) return measured;
  // What the heap comes to depends on the order of its blocks: a run for one output may take more of it than a run for both.
  const classified = await measureOutputs(folder, manifest, name, { height, width }, ['logits']);
  return { ...measured, wasm_heap_bytes: Math.max(measured.wasm_heap_bytes, classified.wasm_heap_bytes) };
}

async function measureOutputs(
  folder: string,
  manifest: Manifest,
  name: VariantName,
  { height, width }: { readonly height: number; readonly width: number },
  fetches: readonly string[],
): Promise<Measurement> {
  const { variant, session, runtime, createMs } = await openVariant(folder, manifest, name);
  const input = variant.inputs[0]!;
  const channels = Number(input.shape[1]);
  const data = new Float32Array(channels * height * width);
  for (let i = 0; i < data.length; i++) data[i] = ((i * 2654435761) >>> 0) / 2 ** 31 - 1;
  const feeds = new Map([[input.name, { type: 'float32', shape: [1, channels, height, width], data } as const]]);
  const times: number[] = [];
  for (let run = 0; run <= TIMED_RUNS; run++) {
    const start = performance.now();
    session.run(feeds, fetches);
    times.push(performance.now() - start);
  }
  const [first, ...rest] = times;
  rest.sort((a, b) => a - b);
  return {
    wasm_heap_bytes: runtime.heapBytes,
    create_ms: createMs,
    first_run_ms: first!,
    run_ms: rest[Math.floor(rest.length / 2)]!,
  };
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
