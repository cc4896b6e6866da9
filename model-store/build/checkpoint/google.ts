/**
 * Google's BiT checkpoints (`BiT-S-R50x1.npz`, `BiT-M-R152x4.npz`, ...). No I/O of its own.
 * Names: google-research/big_transfer `bit_pytorch/models.py` (`load_from`).
 */
import { ModelError } from '../../../worker/errors.ts';
import type { RandomAccessFile } from '../../checkpoint-directory.ts';
import { loadBigTransfer } from './big-transfer.ts';
import type { LazyTensor } from './checkpoint.ts';
import { kernelToOihw, type NpyEntry, readNpz } from './npz.ts';
import type { ReadNetwork } from './provenance.ts';

/** HF's number of each convolution of a unit, by Google's letter. */
const CONVOLUTIONS: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3 };

/**
 * Reads a checkpoint; the architecture is read off the arrays.
 * @throws ModelError `invalid_checkpoint` naming the file and the array.
 */
export async function readGoogle(file: RandomAccessFile): Promise<ReadNetwork> {
  const arrays = await readNpz(file);
  const weights = new Map<string, LazyTensor>();
  const sources = new Map<string, string>();
  for (const [source, array] of arrays) {
    const name = huggingFaceName(source);
    if (name === null) throw unknownArray(file.name, source);
    sources.set(name, source);
    weights.set(name, toWeight(name, array, `${file.name}: ${source}`));
  }
  return loadBigTransfer(weights, file.name, (name) => sources.get(name) ?? googleName(name));
}

/** HF's name of an array; null where it is none of a BiT network. */
function huggingFaceName(source: string): string | null {
  const path = source.replace(/^resnet\//, '');
  if (path === 'root_block/standardized_conv2d/kernel') return 'bit.embedder.convolution.weight';
  if (path === 'head/conv2d/kernel') return 'classifier.1.weight';
  if (path === 'head/conv2d/bias') return 'classifier.1.bias';
  const norm = /(?:^|\/)group_norm\/(gamma|beta)$/.exec(path);
  const suffix = norm?.[1] === 'gamma' ? 'weight' : 'bias';
  if (norm !== null && norm.index === 0) return `bit.norm.${suffix}`;
  const unit = /^block(\d+)\/unit(\d+)\/([abc])\/(.+)$/.exec(path);
  if (unit === null) return null;
  const [block, number, letter, rest] = [unit[1]!, unit[2]!, unit[3]!, unit[4]!];
  const prefix = `bit.encoder.stages.${Number(block) - 1}.layers.${Number(number) - 1}`;
  if (rest === 'standardized_conv2d/kernel') return `${prefix}.conv${CONVOLUTIONS[letter]}.weight`;
  if (rest === 'proj/standardized_conv2d/kernel' && letter === 'a') return `${prefix}.downsample.conv.weight`;
  return rest.startsWith('group_norm/') && norm !== null ? `${prefix}.norm${CONVOLUTIONS[letter]}.${suffix}` : null;
}

/** The name that an array would have had; for messages about one that is missing. */
function googleName(name: string): string {
  const layer = /^bit\.encoder\.stages\.(\d+)\.layers\.(\d+)\.(conv|norm|downsample)(\d?)/.exec(name);
  const parameter = name.endsWith('bias') ? 'beta' : 'gamma';
  if (layer === null) return name.startsWith('bit.norm.') ? `resnet/group_norm/${parameter}` : `resnet/.../${name}`;
  const unit = `resnet/block${Number(layer[1]) + 1}/unit${String(Number(layer[2]) + 1).padStart(2, '0')}`;
  if (layer[3] === 'downsample') return `${unit}/a/proj/standardized_conv2d/kernel`;
  const letter = ' abc'[Number(layer[4])];
  return `${unit}/${letter}/${layer[3] === 'conv' ? 'standardized_conv2d/kernel' : `group_norm/${parameter}`}`;
}

function toWeight(name: string, array: NpyEntry, what: string): LazyTensor {
  const { shape } = array;
  if (shape.length === 4 && !name.includes('norm') && !name.endsWith('.bias')) {
    const [height, width, inputs, outputs] = shape as [number, number, number, number];
    const isMatrix = name === 'classifier.1.weight' && height === 1 && width === 1;
    return {
      shape: isMatrix ? [outputs, inputs] : [outputs, inputs, height, width],
      read: async () => kernelToOihw(await array.read(), what).data,
    };
  }
  // Vectors may come with leading axes of one.
  if (shape.filter((size) => size !== 1).length > 1) {
    throw new ModelError('invalid_checkpoint', `${what}: shape [${shape}] is not a vector`);
  }
  const count = shape.reduce((product, size) => product * size, 1);
  return { shape: [count], read: async () => (await array.read()).data };
}

function unknownArray(file: string, source: string): ModelError {
  return new ModelError('invalid_checkpoint', `${file}: array "${source}" is not part of a BiT network`, {
    details: { file, tensor: source },
  });
}
