/**
 * NumPy's `.npz`: a zip of `.npy` arrays. No I/O of its own.
 * Source: NumPy Enhancement Proposal 1 (`numpy/lib/format.py`), format versions 1 to 3.
 */
import { ModelError } from '../../../worker/errors.ts';
import type { RandomAccessFile } from '../../checkpoint-directory.ts';
import { float16ToFloat32 } from '../../float-formats.ts';
import { locateZipEntry, readZipDirectory, readZipEntry, STORED, type ZipEntry } from '../../zip.ts';

const MAGIC = '\x93NUMPY';

/** An array: float32 elements in the order of the file. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** True: the first index runs fastest (column-major); false: the last one (row-major). */
  readonly fortranOrder: boolean;
  readonly data: Float32Array;
}

/** An array whose elements have not been read. */
export interface NpyEntry {
  readonly shape: readonly number[];
  /** The array. @throws ModelError `invalid_checkpoint` if its bytes are damaged. */
  read(): Promise<NpyArray>;
}

/** More than the header of any array of a checkpoint takes, in bytes. */
const HEADER_PEEK_BYTES = 4096;

/**
 * The arrays of an archive by name without `.npy`. Of stored members only the shapes are read.
 * @throws ModelError `invalid_checkpoint` naming the file and the member.
 */
export async function readNpz(file: RandomAccessFile): Promise<Map<string, NpyEntry>> {
  const arrays = new Map<string, NpyEntry>();
  for (const [member, entry] of await readZipDirectory(file)) {
    if (!member.endsWith('.npy')) throw invalid(`${file.name}: member "${member}" is no .npy array`);
    const what = `${file.name}: ${member}`;
    const read = async (): Promise<NpyArray> => parseNpy(await readZipEntry(file, entry), what);
    arrays.set(member.slice(0, -'.npy'.length), await openArray(file, entry, what, read));
  }
  return arrays;
}

/** A deflated member is inflated at once, and kept. */
async function openArray(
  file: RandomAccessFile,
  entry: ZipEntry,
  what: string,
  read: () => Promise<NpyArray>,
): Promise<NpyEntry> {
  if (entry.method !== STORED || entry.bytes !== entry.compressedBytes) {
    const array = await read();
    return { shape: array.shape, read: async () => array };
  }
  const peek = await file.read(await locateZipEntry(file, entry), Math.min(entry.bytes, HEADER_PEEK_BYTES));
  const { shape, dtype, dataStart } = parseNpyHeader(peek, what);
  checkSize(shape, dtype, entry.bytes - dataStart, what);
  return { shape, read };
}

interface NpyHeader {
  readonly shape: readonly number[];
  readonly fortranOrder: boolean;
  readonly dtype: NpyDtype;
  /** Offset of the elements, in bytes. */
  readonly dataStart: number;
}

/** Float types that are read, and the bytes of an element. */
const DTYPE_BYTES = { '<f4': 4, '<f2': 2, '<f8': 8 } as const;
type NpyDtype = keyof typeof DTYPE_BYTES;

function isDtype(dtype: string | undefined): dtype is NpyDtype {
  return dtype !== undefined && Object.hasOwn(DTYPE_BYTES, dtype);
}

function parseNpyHeader(bytes: Uint8Array, what: string): NpyHeader {
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  const version = bytes[6] ?? 0;
  if (magic !== MAGIC || version < 1 || version > 3 || bytes.length < 12) {
    throw invalid(`${what}: not a .npy array of version 1 to 3`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerStart = version === 1 ? 10 : 12;
  const dataStart = headerStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataStart > bytes.length) {
    throw invalid(`${what}: header reaches to byte ${dataStart}, the array has ${bytes.length}`);
  }
  const header = new TextDecoder().decode(bytes.subarray(headerStart, dataStart));
  const dtype = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const dimensions = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (order === undefined || dimensions === undefined) {
    throw invalid(`${what}: header is not readable: ${header.slice(0, 80)}`);
  }
  if (!isDtype(dtype)) {
    const reason = dtype?.includes('O') ? 'a pickled object, which can run code and is never read' : 'not supported';
    const given = dtype ?? header.slice(0, 80);
    throw invalid(`${what}: dtype ${given} is ${reason}; supported: ${Object.keys(DTYPE_BYTES).join(', ')}`);
  }
  const shape = (dimensions.match(/\d+/g) ?? []).map(Number);
  return { shape, fortranOrder: order === 'True', dtype, dataStart };
}

function checkSize(shape: readonly number[], dtype: NpyDtype, bytes: number, what: string): void {
  const expected = shape.reduce((product, size) => product * size, 1) * DTYPE_BYTES[dtype];
  if (bytes !== expected) throw invalid(`${what}: ${bytes} bytes for [${shape}] ${dtype} = ${expected}`);
}

/**
 * One array, as float32 (from 16, 32 or 64-bit floats, little-endian).
 * @param what to call it in messages.
 * @throws ModelError `invalid_checkpoint`; pickled objects are refused.
 */
function parseNpy(bytes: Uint8Array, what: string): NpyArray {
  const { shape, fortranOrder, dtype, dataStart } = parseNpyHeader(bytes, what);
  checkSize(shape, dtype, bytes.length - dataStart, what);
  // A copy, because the array begins at any byte and typed arrays must be aligned.
  const buffer = bytes.slice(dataStart).buffer as ArrayBuffer;
  switch (dtype) {
    case '<f4':
      return { shape, fortranOrder, data: new Float32Array(buffer) };
    case '<f2':
      return { shape, fortranOrder, data: float16ToFloat32(new Uint16Array(buffer)) };
    case '<f8':
      return { shape, fortranOrder, data: Float32Array.from(new Float64Array(buffer)) };
  }
}

/**
 * A convolution kernel HWIO as OIHW, row-major.
 * @throws ModelError `invalid_checkpoint` where it has not four dimensions.
 */
export function kernelToOihw(array: NpyArray, what: string): { shape: number[]; data: Float32Array } {
  if (array.shape.length !== 4)
    throw invalid(`${what}: shape [${array.shape}] is not a kernel [height, width, in, out]`);
  const [height, width, inputs, outputs] = array.shape as [number, number, number, number];
  const [strideH, strideW, strideI, strideO] = array.fortranOrder
    ? [1, height, height * width, height * width * inputs]
    : [width * inputs * outputs, inputs * outputs, outputs, 1];
  const data = new Float32Array(array.data.length);
  let to = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let h = 0; h < height; h++) {
        let from = o * strideO + i * strideI + h * strideH;
        for (let w = 0; w < width; w++) {
          data[to++] = array.data[from]!;
          from += strideW;
        }
      }
    }
  }
  return { shape: [outputs, inputs, height, width], data };
}

function invalid(message: string): ModelError {
  return new ModelError('invalid_checkpoint', message);
}
