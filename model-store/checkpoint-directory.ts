/**
 * What a checkpoint reader needs of the place where the files lie: disk, hub and tests implement it.
 */
import { ModelError } from '../worker/errors.ts';

/** A file that is read by ranges, so that no checkpoint has to lie in memory twice. */
export interface RandomAccessFile {
  /** What to call it in messages. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`; an error where the file is shorter. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The files of one checkpoint, by name. */
export interface CheckpointDirectory {
  /** The file, or null where there is none of that name. */
  open(name: string): Promise<RandomAccessFile | null>;
  /** Names of all files. */
  list(): Promise<readonly string[]>;
}

/** Reads a small text file of a checkpoint, as JSON. Null where there is none. @throws ModelError `invalid_checkpoint` */
export async function readJsonFile(directory: CheckpointDirectory, name: string): Promise<unknown> {
  const file = await directory.open(name);
  if (file === null) return null;
  try {
    return JSON.parse(new TextDecoder().decode(await file.read(0, file.size)));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ModelError('invalid_checkpoint', `${file.name}: not JSON (${file.size} bytes)`, { cause });
  } finally {
    await file.close();
  }
}

/** A file that lies in memory. */
export function memoryFile(name: string, bytes: Uint8Array): RandomAccessFile {
  return {
    name,
    size: bytes.byteLength,
    read: async (offset, length) => {
      if (offset + length > bytes.byteLength)
        throw new RangeError(`${name}: ${bytes.byteLength} bytes, not ${offset + length}`);
      return bytes.subarray(offset, offset + length);
    },
    close: async () => {},
  };
}

/** A directory that lies in memory. */
export function memoryDirectory(files: Readonly<Record<string, Uint8Array>>): CheckpointDirectory {
  return {
    open: async (name) => (Object.hasOwn(files, name) ? memoryFile(name, files[name]!) : null),
    list: async () => Object.keys(files),
  };
}
