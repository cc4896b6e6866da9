/** Which forms of a graph each provider is tried with. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { decodeOnnxModel } from '../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../model-store/onnx/encode.ts';
import { widenToFloat32 } from '../model-store/onnx/widen.ts';
import type { Precision, Provider } from './engine-protocol.ts';

/** A graph on disk. */
export interface GraphForm {
  readonly path: string;
  readonly precision: Precision;
}

/** The forms of one graph. */
export interface GraphForms {
  /** As it is stored: float16 if there is a widened one beside it. */
  readonly stored: GraphForm;
  /** The same in float32, in a temporary folder; null where the stored one is float32 already, or is not ours to read. */
  readonly widened: GraphForm | null;
  dispose(): Promise<void>;
}

/** Makes the forms of the graph at `path`, whose external data lies beside it. */
export async function graphForms(path: string): Promise<GraphForms> {
  let widened: string | null;
  try {
    widened = await widen(path);
  } catch {
    // Too large for memory, or operators that our reader does not know: onnxruntime decides what it can do with it.
    return { stored: { path, precision: 'unknown' }, widened: null, dispose: async () => {} };
  }
  if (widened === null) return { stored: { path, precision: 'float32' }, widened: null, dispose: async () => {} };
  return {
    stored: { path, precision: 'float16' },
    widened: { path: widened, precision: 'float32' },
    dispose: () => rm(dirname(widened), { recursive: true, force: true }),
  };
}

/**
 * The forms to try on a provider, best first. CUDA has float16 on every card that cuDNN 9 runs on. WebGPU has it as an optional
 * feature. On a CPU float16 is only emulated, and slower.
 */
export function formsFor(provider: Provider, { stored, widened }: GraphForms): GraphForm[] {
  if (widened === null || provider === 'cuda') return [stored];
  return provider === 'webgpu' ? [stored, widened] : [widened];
}

async function widen(path: string): Promise<string | null> {
  const external = new Map<string, Uint8Array>();
  for (const name of await readdir(dirname(path))) {
    if (name.endsWith('.bin')) external.set(name, await readFile(join(dirname(path), name)));
  }
  const model = widenToFloat32(decodeOnnxModel(await readFile(path), external));
  if (model === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'bit-edge-gpu-'));
  const files = encodeOnnxModel(model, 'weights.bin');
  if (files.weights !== null) await writeFile(join(folder, 'weights.bin'), files.weights);
  const target = join(folder, basename(path));
  await writeFile(target, files.model);
  return target;
}
