/** Models in a store that the GPU backend can serve, and the pictures of its goldens. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCheckpoint } from '../../model-store/build/checkpoint/read-checkpoint.ts';
import { SAFETENSORS_FILE } from '../../model-store/build/checkpoint/weight-files.ts';
import { buildGpuGraph } from '../../model-store/build/graph/build-gpu.ts';
import { memoryDirectory } from '../../model-store/checkpoint-directory.ts';
import { writeAlias, writeVersion } from './gpu-store.ts';

/** Side of the default model's input in px. */
export const SIDE_PX = 64;
/** Bytes of one picture. */
export const PICTURE_BYTES = SIDE_PX * SIDE_PX * 3;

/** A model of the goldens: the default one, or the small random one of `test/fixtures/bit/default`. */
export type GoldenModel = 'bit-tiny-200' | 'random';

/** What Hugging Face transformers answers for the pictures; see scripts/goldens/gpu_logits.py. */
export const GOLDENS: Readonly<Record<GoldenModel, { logits: number[][]; pooler_output_first_16: number[][] }>> =
  JSON.parse(readFileSync(new URL('../fixtures/gpu/logits.json', import.meta.url), 'utf8'));

/** Picture `index` of the goldens, [64, 64, 3]. */
export function picture(index: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PICTURE_BYTES);
  const window = new Array<number>(16).fill(0);
  let state = index + 1;
  for (let position = 0; position < bytes.length; position++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    window[position % 16] = state >>> 24;
    const smooth = Math.floor(window.reduce((sum, value) => sum + value, 0) / 16);
    bytes[position] = index % 2 === 1 ? smooth : state >>> 24;
  }
  return bytes;
}

/** Several pictures in one buffer. */
export function pictures(indices: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(indices.length * PICTURE_BYTES);
  indices.forEach((index, row) => {
    bytes.set(picture(index), row * PICTURE_BYTES);
  });
  return bytes;
}

/** Writes a model into a store, the first time with the alias `latest`. */
export async function writeModel(
  root: string,
  name: GoldenModel,
  version = '1',
  precision: 'float16' | 'float32' = 'float16',
): Promise<void> {
  const folder = new URL(
    name === 'random' ? '../fixtures/bit/default/' : `../../model-store/models/${name}/`,
    import.meta.url,
  );
  const read = (file: string) => new Uint8Array(readFileSync(new URL(file, folder)));
  const files = { 'config.json': read('config.json'), [SAFETENSORS_FILE]: read(SAFETENSORS_FILE) };
  const { checkpoint } = await readCheckpoint(memoryDirectory(files), null);
  const graph = buildGpuGraph(checkpoint, {
    inputSize: { height: SIDE_PX, width: SIDE_PX },
    externalWeights: 'weights-gpu.bin',
    normalization: { rescaleFactor: 1 / 255, normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } },
    precision,
  });
  await writeVersion(root, {
    name,
    version,
    onnx: graph.model,
    weights: graph.weights === null ? undefined : { path: 'weights-gpu.bin', bytes: graph.weights },
    inputs: [...graph.inputs],
    outputs: [...graph.outputs],
    labels: checkpoint.config.labels,
    sidePx: SIDE_PX,
  });
  if (version === '1') await writeAlias(root, name, 'latest', version);
}

/** Where the backend's packages are, if they are installed. */
export const ONNXRUNTIME_NODE = join(import.meta.dirname, '../../gpu-backend/node_modules/onnxruntime-node');
