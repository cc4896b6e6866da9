/** The persistent ids by which a pickle names storages. Pure, no I/O. Source: torch 2.13 `serialization.py` (`persistent_id`). */
import { PickleError } from './pickle-machine.ts';
import { describeValue, PickleTuple, type PickleValue } from './pickle-values.ts';
import { TorchStorage, TorchStorageType } from './torch-tensor.ts';

/** No storage has more elements than this; products with element sizes stay exact. */
const MAX_ELEMENTS = 2 ** 48;

/**
 * `('storage', type, key, location, elements)`; the legacy form has a sixth: null, or a view `(key, offset, elements)`.
 * @throws PickleError where it is something else.
 */
export function readStorageId(id: PickleValue): TorchStorage {
  const [kind, type, key, , count, view = null] = id instanceof PickleTuple ? id.items : [];
  if (kind === 'module') throw new PickleError('a pickled module; save its state_dict() instead');
  if (kind !== 'storage' || !(type instanceof TorchStorageType)) {
    throw new PickleError(`persistent id ${describeValue(id)} is not a storage`);
  }
  // The key is part of a member's name.
  if (typeof key !== 'string' || !/^[\w-]{1,64}$/.test(key)) {
    throw new PickleError(`a storage with the key ${key === undefined ? 'nothing' : describeValue(key)}`);
  }
  const elementBytes = type.elements?.bytes ?? 1;
  const total = elementCount(count) * elementBytes;
  if (view === null) return new TorchStorage(key, type, total, 0);
  const [, offset, length] = view instanceof PickleTuple ? view.items : [];
  const start = elementCount(offset) * elementBytes;
  const bytes = elementCount(length) * elementBytes;
  if (start + bytes > total) throw new PickleError(`a view of ${bytes} bytes at ${start} of a storage of ${total}`);
  return new TorchStorage(key, type, bytes, start);
}

function elementCount(value: PickleValue | undefined): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= MAX_ELEMENTS) return value;
  throw new PickleError(`a storage of ${value === undefined ? 'no' : describeValue(value)} elements`);
}
