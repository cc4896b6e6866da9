/**
 * The form of `torch.save` before torch 1.6 (`_use_new_zipfile_serialization=False`): a magic number, a version, facts
 * about the machine, the object and the keys of its storages, each a pickle; then the storages, each behind its number
 * of elements as a 64-bit integer. Integers and elements are little-endian whatever machine wrote them. No I/O of its own.
 * Source: torch 2.13 `serialization.py` (`_legacy_load`), `torch/csrc/serialization.cpp` (`THPStorage_readFileRaw`).
 */
import type { RandomAccessFile } from '../../../checkpoint-directory.ts';
import { MAX_PICKLE_BYTES, PickleEndError, PickleError, type PickleHost, readPickle } from './pickle-machine.ts';
import { describeValue, PickleList, type PickleValue } from './pickle-values.ts';
import { findStateDictGlobal } from './state-dict-globals.ts';
import { readStorageId } from './storage-id.ts';
import type { TorchFile, TorchStorage } from './torch-tensor.ts';

const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;
const FIRST_READ_BYTES = 256 * 1024;
const COUNT_BYTES = 8;

/** What stands before the storages. */
interface Preamble {
  readonly root: PickleValue;
  readonly keys: readonly PickleValue[];
  readonly storages: readonly TorchStorage[];
  /** Where the storages begin. */
  readonly end: number;
}

/** Opens a file of the old form. @throws PickleError */
export async function openLegacyFile(file: RandomAccessFile): Promise<TorchFile> {
  const { root, keys, storages, end } = await readPreamble(file);
  const elementBytes = new Map(storages.map(({ key, type }) => [key, type.elements?.bytes ?? 1]));
  const places = new Map<string, { start: number; bytes: number }>();
  let position = end;
  for (const key of keys) {
    if (typeof key !== 'string') throw new PickleError(`byte ${end}: a storage with the key ${describeValue(key)}`);
    const each = elementBytes.get(key);
    if (each === undefined) throw new PickleError(`byte ${end}: storage ${key.slice(0, 40)} belongs to no tensor`);
    if (position + COUNT_BYTES > file.size) throw cutOff(file, key);
    const count = await file.read(position, COUNT_BYTES);
    const elements = new DataView(count.buffer, count.byteOffset, COUNT_BYTES).getBigUint64(0, true);
    const start = position + COUNT_BYTES;
    if (elements * BigInt(each) > BigInt(file.size - start)) throw cutOff(file, key);
    const bytes = Number(elements) * each;
    places.set(key, { start, bytes });
    position = start + bytes;
  }
  for (const { key, byteOffset, byteLength, description } of storages) {
    const place = places.get(key);
    if (place === undefined || byteOffset + byteLength > place.bytes) {
      throw new PickleError(`byte ${end}: ${description} has ${place?.bytes ?? 0} bytes in the file`);
    }
  }
  return {
    root,
    littleEndian: true,
    readStorage: async ({ key, byteOffset }, offset, length) =>
      file.read(places.get(key)!.start + byteOffset + offset, length),
  };
}

/** The pickles say nowhere how long they are: as much is read as they turn out to need. */
async function readPreamble(file: RandomAccessFile): Promise<Preamble> {
  for (let size = FIRST_READ_BYTES; ; size *= 8) {
    const bytes = await file.read(0, Math.min(size, file.size, MAX_PICKLE_BYTES));
    try {
      return parsePreamble(bytes);
    } catch (error) {
      if (!(error instanceof PickleEndError) || bytes.length === file.size) throw error;
      if (bytes.length === MAX_PICKLE_BYTES) throw new PickleError(`byte 0: more than ${MAX_PICKLE_BYTES} bytes`);
    }
  }
}

function parsePreamble(bytes: Uint8Array): Preamble {
  const plain: PickleHost = { findGlobal: findStateDictGlobal, loadPersistent: refusePersistent };
  const storages: TorchStorage[] = [];
  const withStorages: PickleHost = {
    findGlobal: findStateDictGlobal,
    loadPersistent: (id) => {
      const storage = readStorageId(id);
      storages.push(storage);
      return storage;
    },
  };
  const magic = readPickle(bytes, 0, plain);
  if (magic.value !== MAGIC_NUMBER) {
    throw new PickleError(
      `byte 0: ${describeValue(magic.value)} in place of torch's magic number: no file of torch.save`,
    );
  }
  const version = readPickle(bytes, magic.end, plain);
  if (version.value !== PROTOCOL_VERSION) {
    throw new PickleError(
      `byte ${magic.end}: protocol ${describeValue(version.value)}; supported: ${PROTOCOL_VERSION}`,
    );
  }
  const machine = readPickle(bytes, version.end, plain);
  const root = readPickle(bytes, machine.end, withStorages);
  const keys = readPickle(bytes, root.end, plain);
  if (!(keys.value instanceof PickleList)) {
    throw new PickleError(`byte ${root.end}: ${describeValue(keys.value)} in place of the storages' keys`);
  }
  return { root: root.value, keys: keys.value.items, storages, end: keys.end };
}

function refusePersistent(id: PickleValue): never {
  throw new PickleError(`persistent id ${describeValue(id)} before the object`);
}

function cutOff(file: RandomAccessFile, key: string): PickleError {
  return new PickleError(`byte ${file.size}: the file ends within storage ${key.slice(0, 40)}`);
}
