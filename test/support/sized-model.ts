/** One small network, made for images of any size: its WASM heap is mostly activations, so the size decides how large it is. */
import { join } from 'node:path';
import { weightShapes } from '../../model-store/bit-architecture.ts';
import { assembleVersion, variantFiles } from '../../model-store/build/assemble.ts';
import { type Checkpoint, makeCheckpoint, type WeightTensor } from '../../model-store/build/checkpoint/checkpoint.ts';
import type { PreprocessorJson } from '../../model-store/build/checkpoint/preprocessor.ts';
import { buildBitGraph } from '../../model-store/build/graph/build.ts';
import { parseBitConfig } from '../../model-store/read-bit-config.ts';
import { writeVersion } from '../../scripts/cli/build-default-model.ts';
import { measureVariant } from '../../scripts/cli/onnx/measure-variant.ts';

/** The version that every one of them has. */
export const SIZED_MODEL_VERSION = '1';

/**
 * Writes the network for images of `sizePx` into a folder below `root`, with its heap measured as an import does.
 * @param claimedHeapBytes what its manifest says instead.
 * @returns the folder.
 */
export async function writeSizedModel(
  root: string,
  name: string,
  sizePx: number,
  claimedHeapBytes?: number,
): Promise<string> {
  const checkpoint = smallCheckpoint();
  const imageSize = { height: sizePx, width: sizePx };
  const graph = buildBitGraph(checkpoint, {
    inputSize: imageSize,
    externalWeights: variantFiles('fp32', 'fp32').weights,
  });
  const folder = join(root, name, SIZED_MODEL_VERSION);
  const write = async (wasmHeapBytes: number | null): Promise<void> => {
    const assembled = await assembleVersion({
      name,
      version: SIZED_MODEL_VERSION,
      createdAt: '2026-01-01T00:00:00Z',
      source: { kind: 'huggingface', reference: name, sha256: null },
      checkpoint,
      preprocessor: processorFor(sizePx),
      imageSize,
      variants: { fp32: { graph, wasmHeapBytes } },
      defaultVariant: 'fp32',
      report: null,
      attachments: new Map(),
    });
    await writeVersion(assembled, folder);
  };
  await write(claimedHeapBytes ?? null);
  if (claimedHeapBytes === undefined) await write((await measureVariant(folder, 'fp32', imageSize)).wasm_heap_bytes);
  return folder;
}

function smallCheckpoint(): Checkpoint {
  const config = parseBitConfig({
    embedding_size: 64,
    hidden_sizes: [32, 32],
    depths: [1, 1],
    num_groups: 8,
    id2label: Object.fromEntries(Array.from({ length: 4 }, (_, index) => [index, `label ${index}`])),
  });
  const weights = new Map<string, WeightTensor>();
  let state = 1;
  for (const [name, shape] of weightShapes(config)) {
    const data = new Float32Array(shape.reduce((product, dimension) => product * dimension, 1));
    for (let index = 0; index < data.length; index++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[index] = state / 2 ** 32 - 0.5;
    }
    weights.set(name, { shape, data });
  }
  return makeCheckpoint(config, weights, 'random');
}

function processorFor(sizePx: number): PreprocessorJson {
  return {
    do_resize: true,
    size: { shortest_edge: sizePx },
    do_center_crop: true,
    crop_size: { height: sizePx, width: sizePx },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  };
}
