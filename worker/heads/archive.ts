/** Zip and tar archives whose folders are classes. Members are unpacked one at a time. No I/O. */
import { readZipDirectory, readZipEntry } from '../../model-store/zip.ts';
import { AppError, RequestError } from '../errors.ts';

/** One picture of an archive. */
export interface ArchivePicture {
  /** The folder that it is in. */
  readonly label: string;
  /** Its path. */
  readonly name: string;
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Largest member, unpacked, in bytes. */
const MAX_MEMBER_BYTES = 20 * 1024 * 1024;

const ZIP_MAGIC = [0x50, 0x4b, 0x03, 0x04];

/** POSIX ustar, IEEE Std 1003.1: blocks of 512 bytes, the first of a member its header. */
const TAR_BLOCK = 512;

/**
 * The pictures of an archive, in the order of its directory. Files that begin with a dot, and what a Mac adds, are passed over.
 * @throws RequestError `invalid_body` where it is no archive, is damaged, or a picture is in no folder; `body_too_large` where a
 * member is.
 */
export async function openArchive(bytes: Uint8Array<ArrayBuffer>): Promise<ArchivePicture[]> {
  const isZip = ZIP_MAGIC.every((value, at) => bytes[at] === value);
  const members = isZip ? await zipMembers(bytes) : tarMembers(bytes);
  return members
    .filter(({ path }) => !path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX'))
    .map(({ path, size, read }) => {
      const label = path.split('/').at(-2);
      if (label === undefined || label === '') {
        throw new RequestError('invalid_body', `"${path.slice(0, 80)}" is in no folder; folders are classes`);
      }
      if (size > MAX_MEMBER_BYTES) {
        throw new RequestError(
          'body_too_large',
          `"${path.slice(0, 80)}" has ${size} bytes; limit ${MAX_MEMBER_BYTES}`,
          {
            details: { bytes: size, limit_bytes: MAX_MEMBER_BYTES },
          },
        );
      }
      return { label, name: path, read };
    });
}

interface Member {
  readonly path: string;
  readonly size: number;
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

async function zipMembers(bytes: Uint8Array<ArrayBuffer>): Promise<Member[]> {
  const file = {
    name: 'the archive',
    size: bytes.byteLength,
    read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
    close: async () => {},
  };
  const entries = await asBody(readZipDirectory(file));
  return [...entries.values()]
    .filter(({ name }) => !name.endsWith('/'))
    .map((entry) => ({
      path: entry.name,
      size: entry.bytes,
      read: async () => Uint8Array.from(await asBody(readZipEntry(file, entry))),
    }));
}

/** The reader of archives knows checkpoints; here it is a body that is wrong. */
async function asBody<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new RequestError('invalid_body', cause.message, { cause });
  }
}

function tarMembers(bytes: Uint8Array<ArrayBuffer>): Member[] {
  const members: Member[] = [];
  let offset = 0;
  let longName: string | null = null;
  while (offset + TAR_BLOCK <= bytes.byteLength) {
    const header = bytes.subarray(offset, offset + TAR_BLOCK);
    if (header.every((value) => value === 0)) break;
    checkTarHeader(header, offset);
    const size = octal(header, 124, 12);
    const start = offset + TAR_BLOCK;
    const next = start + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
    if (start + size > bytes.byteLength) {
      throw new RequestError('invalid_body', `the archive is cut off: a member of ${size} bytes at ${offset}`);
    }
    const type = String.fromCharCode(header[156]!);
    const content = bytes.subarray(start, start + size);
    // GNU's long names, and pax's: each stands before its member.
    if (type === 'L') longName = text(content, 0, size);
    else if (type === 'x') longName = paxPath(new TextDecoder().decode(content)) ?? longName;
    else {
      const prefix = text(header, 345, 155);
      const short = text(header, 0, 100);
      const path = longName ?? (prefix === '' ? short : `${prefix}/${short}`);
      longName = null;
      if (type === '0' || type === '\0') {
        members.push({ path: path.replace(/^(\.\/)+/, ''), size, read: async () => Uint8Array.from(content) });
      }
    }
    offset = next;
  }
  return members;
}

function checkTarHeader(header: Uint8Array, offset: number): void {
  let sum = 0;
  // The checksum counts its own field as spaces.
  for (let at = 0; at < TAR_BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : header[at]!;
  if (sum === octal(header, 148, 8)) return;
  throw new RequestError('invalid_body', `the archive is neither zip nor tar, or damaged at byte ${offset}`);
}

function octal(header: Uint8Array, at: number, length: number): number {
  const value = Number.parseInt(text(header, at, length).trim() || '0', 8);
  return Number.isSafeInteger(value) && value >= 0 ? value : Number.MAX_SAFE_INTEGER;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** Records are `length key=value\n`. */
function paxPath(records: string): string | null {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(records)?.[1] ?? null;
}
