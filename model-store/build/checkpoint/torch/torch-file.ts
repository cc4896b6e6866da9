/**
 * What `torch.save` writes: a zip archive (since torch 1.6) or the older sequence of pickles and raw storages. The pickle
 * is read without running it, and storages stay where they are: ranges of the file. No I/O of its own.
 * Source: torch 2.13 `serialization.py` (`_load`, `_legacy_load`), `caffe2/serialize/inline_container.cc`.
 */
import { ModelError } from '../../../../worker/errors.ts';
import type { RandomAccessFile } from '../../../checkpoint-directory.ts';
import { locateZipEntry, readZipDirectory, readZipEntry, STORED, type ZipEntry } from '../../../zip.ts';
import { openLegacyFile } from './legacy-file.ts';
import { MAX_PICKLE_BYTES, PickleError, readPickle } from './pickle-machine.ts';
import { findStateDictGlobal } from './state-dict-globals.ts';
import { readStorageId } from './storage-id.ts';
import type { TorchFile } from './torch-tensor.ts';

/** An archive's member that is compressed is inflated whole; torch itself writes none. */
const MAX_INFLATED_BYTES = 256 * 2 ** 20;

/**
 * Opens a file; the storages that its pickle names are all in it.
 * @throws ModelError `invalid_checkpoint` naming what is refused: a global that no state dict needs, a storage that is missing.
 */
export async function openTorchFile(file: RandomAccessFile): Promise<TorchFile> {
  const head = await file.read(0, Math.min(4, file.size));
  const isZip = head[0] === 0x50 && head[1] === 0x4b;
  try {
    return isZip ? await openArchive(file) : await openLegacyFile(file);
  } catch (error) {
    if (!(error instanceof PickleError)) throw error;
    const details = error.global === null ? { file: file.name } : { file: file.name, global: error.global };
    throw new ModelError('invalid_checkpoint', `${file.name}: pickle refused at ${error.message}`, {
      details,
      cause: error,
    });
  }
}

async function openArchive(file: RandomAccessFile): Promise<TorchFile> {
  const members = await readZipDirectory(file);
  const roots = [...members.keys()].filter((name) => /^[^/\\]+\/data\.pkl$/.test(name));
  if (roots.length !== 1) {
    throw invalid(file, roots.length === 0 ? 'no data.pkl in it: not a file of torch.save' : 'several data.pkl in it');
  }
  const prefix = roots[0]!.slice(0, -'data.pkl'.length);
  if (members.has(`${prefix}constants.pkl`)) {
    throw invalid(file, 'TorchScript: a program, not a state dict; save the state dict of the module it was made from');
  }
  const littleEndian = await readByteOrder(file, members.get(`${prefix}byteorder`));
  const pickle = members.get(roots[0]!)!;
  if (pickle.bytes > MAX_PICKLE_BYTES) {
    throw invalid(file, `data.pkl of ${pickle.bytes} bytes; limit ${MAX_PICKLE_BYTES}`);
  }
  const storages = new Map<string, ZipEntry>();
  const { value } = readPickle(await readMember(file, pickle), 0, {
    findGlobal: findStateDictGlobal,
    loadPersistent: (id) => {
      const storage = readStorageId(id);
      const member = members.get(`${prefix}data/${storage.key}`);
      if (member === undefined) throw new PickleError(`${storage.description} is not in the archive`);
      if (member.bytes < storage.byteOffset + storage.byteLength) {
        throw new PickleError(`${storage.description} has ${member.bytes} bytes in the archive`);
      }
      if (member.method !== STORED && member.bytes > MAX_INFLATED_BYTES) {
        throw new PickleError(`${storage.description} is compressed; limit ${MAX_INFLATED_BYTES} bytes`);
      }
      storages.set(storage.key, member);
      return storage;
    },
  });
  return {
    root: value,
    littleEndian,
    readStorage: async ({ key, byteOffset }, start, length) => {
      const member = storages.get(key)!;
      const offset = byteOffset + start;
      // Checked against the archive's CRC-32 where all of it is wanted.
      if (member.method !== STORED || (offset === 0 && length === member.bytes)) {
        return (await readMember(file, member)).subarray(offset, offset + length);
      }
      return file.read((await locateZipEntry(file, member)) + offset, length);
    },
  };
}

/** `torch.serialization.set_crc32_options(False)` leaves every CRC-32 at 0. */
async function readMember(file: RandomAccessFile, member: ZipEntry): Promise<Uint8Array> {
  return readZipEntry(file, member, { allowMissingCrc: true });
}

async function readByteOrder(file: RandomAccessFile, member: ZipEntry | undefined): Promise<boolean> {
  // Before torch 2.1 there was no such member, and no machine with the big end first.
  if (member === undefined) return true;
  if (member.bytes > 16) throw invalid(file, `byteorder of ${member.bytes} bytes`);
  const order = new TextDecoder().decode(await readMember(file, member));
  if (order !== 'little' && order !== 'big') throw invalid(file, `byteorder "${order}"; supported: little, big`);
  return order === 'little';
}

function invalid(file: RandomAccessFile, problem: string): ModelError {
  return new ModelError('invalid_checkpoint', `${file.name}: ${problem}`, { details: { file: file.name } });
}
