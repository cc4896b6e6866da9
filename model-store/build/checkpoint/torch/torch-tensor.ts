/**
 * Storages and the tensors that view them, as a pickle describes them; nothing is read yet. Pure, no I/O.
 * Source: torch 2.13 `_utils.py` (`_rebuild_tensor_v2`, `_rebuild_tensor_v3`), `storage.py`.
 */
import type { SafetensorsDtype } from '../../../safetensors.ts';
import { PickleError } from './pickle-machine.ts';
import { describeValue, PickleObject, PickleTuple, type PickleValue } from './pickle-values.ts';

/** A tensor that a view repeats (stride 0) may have this many elements whatever its storage has. */
const MAX_REPEATED_ELEMENTS = 2 ** 24;

/** An element type. */
export class TorchDtype extends PickleObject {
  readonly dtype: SafetensorsDtype;
  readonly bytes: number;
  constructor(name: string, dtype: SafetensorsDtype, bytes: number) {
    super(`torch.${name}`);
    this.dtype = dtype;
    this.bytes = bytes;
  }
}

/** The kind of a storage: `torch.FloatStorage`; null elements are bytes of any type (`torch.UntypedStorage`). */
export class TorchStorageType extends PickleObject {
  readonly elements: TorchDtype | null;
  constructor(name: string, elements: TorchDtype | null) {
    super(name);
    this.elements = elements;
  }
}

/** Elements in the file. */
export class TorchStorage extends PickleObject {
  /** The file's name for it. */
  readonly key: string;
  readonly type: TorchStorageType;
  readonly byteLength: number;
  /** Where it begins within what the file keeps under `key`, in bytes. */
  readonly byteOffset: number;
  constructor(key: string, type: TorchStorageType, byteLength: number, byteOffset: number) {
    super(`storage ${key.slice(0, 40)} of ${byteLength} bytes`);
    this.key = key;
    this.type = type;
    this.byteLength = byteLength;
    this.byteOffset = byteOffset;
  }
}

/** A view of a storage. */
export class TorchTensor extends PickleObject {
  readonly storage: TorchStorage;
  readonly dtype: TorchDtype;
  readonly shape: readonly number[];
  /** In elements, as long as `shape`. */
  readonly strides: readonly number[];
  /** Of the first element, in elements. */
  readonly offset: number;
  constructor(
    storage: TorchStorage,
    dtype: TorchDtype,
    shape: readonly number[],
    strides: readonly number[],
    offset: number,
  ) {
    super(`a tensor [${shape.slice(0, 8)}]`);
    this.storage = storage;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
  }
}

/**
 * The tensor that `_rebuild_tensor` would make.
 * @param dtype null for the storage's own.
 * @throws PickleError where it reaches out of its storage.
 */
export function rebuildTensor(
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  dtype: TorchDtype | null,
): TorchTensor {
  if (!(storage instanceof TorchStorage)) throw new PickleError(`${describe(storage)} is not a storage`);
  const elements = dtype ?? storage.type.elements;
  if (elements === null) throw new PickleError(`${storage.description} has no element type`);
  const sizes = readSizes(shape, 'shape');
  const steps = readSizes(strides, 'strides');
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) {
    throw new PickleError(`offset ${describe(offset)} is not an offset`);
  }
  if (steps.length !== sizes.length) throw new PickleError(`strides [${steps}] for shape [${sizes}]`);
  const count = sizes.reduce((product, size) => product * size, 1);
  const last = sizes.reduce((sum, size, axis) => sum + (size - 1) * steps[axis]!, offset);
  const available = Math.floor(storage.byteLength / elements.bytes);
  if (count > 0 && !(last < available)) {
    throw new PickleError(`a tensor [${sizes}] at ${offset} reaches to element ${last} of ${available}`);
  }
  if (count > Math.max(available, MAX_REPEATED_ELEMENTS)) {
    throw new PickleError(`a tensor [${sizes}] repeats ${available} elements to make ${count}`);
  }
  return new TorchTensor(storage, elements, sizes, steps, offset);
}

function readSizes(value: PickleValue | undefined, what: string): number[] {
  if (!(value instanceof PickleTuple)) throw new PickleError(`${what} is ${describe(value)}`);
  if (value.items.length > 64) throw new PickleError(`${what} of ${value.items.length} dimensions; limit 64`);
  return value.items.map((item) => {
    if (typeof item === 'number' && Number.isSafeInteger(item) && item >= 0) return item;
    throw new PickleError(`${what} has ${describe(item)}`);
  });
}

function describe(value: PickleValue | undefined): string {
  return value === undefined ? 'nothing' : describeValue(value);
}

/** A file of `torch.save`. */
export interface TorchFile {
  /** The pickled object. */
  readonly root: PickleValue;
  readonly littleEndian: boolean;
  /** `length` bytes of a storage, from `offset` bytes on. @throws ModelError `invalid_checkpoint` where they are not there. */
  readStorage(storage: TorchStorage, offset: number, length: number): Promise<Uint8Array>;
}
