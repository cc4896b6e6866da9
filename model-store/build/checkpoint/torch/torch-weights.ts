/**
 * The weights in a file of `torch.save`: the state dict is found in the wrappings that training scripts put around it, and
 * its tensors are read when they are asked for, each from its own range of the file. No I/O of its own.
 */
import { ModelError } from '../../../../worker/errors.ts';
import type { RandomAccessFile } from '../../../checkpoint-directory.ts';
import { tensorToFloat32 } from '../../../safetensors.ts';
import type { LazyTensor } from '../checkpoint.ts';
import { describeValue, PickleDict, type PickleValue } from './pickle-values.ts';
import { openTorchFile } from './torch-file.ts';
import { type TorchFile, TorchTensor } from './torch-tensor.ts';

/**
 * Under which keys training scripts keep a network's state dict, in the order of preference: timm takes the averaged weights
 * where there are some (`models/_helpers.py`, `load_state_dict`).
 */
const WRAPPER_KEYS = [
  'state_dict_ema',
  'model_ema',
  'state_dict',
  'model',
  'model_state_dict',
  'module',
  'net',
] as const;

/** State dicts lie this deep at most: `{"model": {"state_dict": {...}}}`. */
const MAX_WRAPPERS = 3;

/** All that is read of a file together, as float32, in multiples of its size: 8-bit elements become four times as large. */
const MAX_GROWTH = 8;
const FREE_GROWTH_BYTES = 64 * 2 ** 20;

/** The tensors of a file, not read. */
export interface TorchWeights {
  readonly tensors: Map<string, LazyTensor>;
  /** The wrapper that the state dict was in (`state_dict`, `model.state_dict`); null where the file is one itself. */
  readonly wrapper: string | null;
}

/**
 * Finds the state dict of a file.
 * @throws ModelError `invalid_checkpoint` where the pickle is refused, or has no state dict.
 */
export async function readTorchWeights(file: RandomAccessFile): Promise<TorchWeights> {
  const torch = await openTorchFile(file);
  const found = findStateDict(torch.root, 0);
  if (found === null) {
    throw new ModelError('invalid_checkpoint', `${file.name}: no state dict in it: ${describeValue(torch.root)}`, {
      details: { file: file.name },
    });
  }
  const budget = { bytes: file.size * MAX_GROWTH + FREE_GROWTH_BYTES };
  const tensors = new Map<string, LazyTensor>();
  for (const [name, tensor] of found.tensors) {
    tensors.set(name, {
      shape: tensor.shape,
      read: async () => {
        budget.bytes -= elementCount(tensor) * 4;
        if (budget.bytes < 0) {
          throw new ModelError('invalid_checkpoint', `${file.name}: its tensors share storages to excess`, {
            details: { file: file.name, tensor: name },
          });
        }
        return readTensor(torch, tensor);
      },
    });
  }
  return { tensors, wrapper: found.path.length === 0 ? null : found.path.join('.') };
}

function findStateDict(
  value: PickleValue,
  depth: number,
): { tensors: Map<string, TorchTensor>; path: string[] } | null {
  if (!(value instanceof PickleDict)) return null;
  const tensors = new Map<string, TorchTensor>();
  for (const [name, item] of value.entries) {
    if (typeof name === 'string' && item instanceof TorchTensor) tensors.set(name, item);
  }
  if (depth < MAX_WRAPPERS) {
    for (const key of WRAPPER_KEYS) {
      const inner = findStateDict(value.entries.get(key) ?? null, depth + 1);
      if (inner !== null) return { tensors: inner.tensors, path: [key, ...inner.path] };
    }
  }
  return tensors.size === 0 ? null : { tensors, path: [] };
}

async function readTensor(file: TorchFile, tensor: TorchTensor): Promise<Float32Array> {
  const { dtype, shape, strides, offset } = tensor;
  const count = elementCount(tensor);
  if (count === 0) return new Float32Array(0);
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, 0);
  const raw = await file.readStorage(tensor.storage, offset * dtype.bytes, (last + 1) * dtype.bytes);
  // A copy where bytes are swapped or moved: they may be views of the caller's.
  const ordered = file.littleEndian || dtype.bytes === 1 ? raw : swapBytes(raw, dtype.bytes);
  const elements = tensorToFloat32({ dtype: dtype.dtype, shape: [last + 1], data: ordered });
  return isContiguous(shape, strides) ? elements : gather(elements, shape, strides, count);
}

/** Whether the last index runs fastest, without gaps; the stride of an axis of one says nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** Row-major elements of a strided view. */
function gather(from: Float32Array, shape: readonly number[], strides: readonly number[], count: number): Float32Array {
  const out = new Float32Array(count);
  const index = new Array<number>(shape.length).fill(0);
  let at = 0;
  for (let to = 0; to < count; to++) {
    out[to] = from[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      index[axis] = index[axis]! + 1;
      if (index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

function swapBytes(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let start = 0; start < bytes.length; start += elementBytes) {
    for (let i = 0; i < elementBytes; i++) out[start + i] = bytes[start + elementBytes - 1 - i]!;
  }
  return out;
}

function elementCount({ shape }: TorchTensor): number {
  return shape.reduce((product, size) => product * size, 1);
}
