/**
 * NumPy's `.npz`: a zip of `.npy` arrays. No I/O of its own.
 * Source: NumPy Enhancement Proposal 1 (`numpy/lib/format.py`), format versions 1 to 3.
 */
import { ModelError } from '../../../worker/errors.ts';
import type { RandomAccessFile } from '../../checkpoint-directory.ts';
import { float16ToFloat32 } from '../../float-formats.ts';
import { readZipDirectory, readZipEntry } from '../../zip.ts';

const MAGIC = '\x93NUMPY';

/** An array: float32 elements in the order of the file. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** True: the first index runs fastest (column-major); false: the last one (row-major). */
  readonly fortranOrder: boolean;
  readonly data: Float32Array;
}

/**
 * The arrays of an archive, each as float32, by name without `.npy`.
 * @throws ModelError `invalid_checkpoint` naming the file and the member.
 */
export async function readNpz(file: RandomAccessFile): Promise<Map<string, NpyArray>> {
  const arrays = new Map<string, NpyArray>();
  for (const [member, entry] of await readZipDirectory(file)) {
    if (!member.endsWith('.npy')) throw invalid(`${file.name}: member "${member}" is no .npy array`);
    const bytes = await readZipEntry(file, entry);
    arrays.set(member.slice(0, -'.npy'.length), parseNpy(bytes, `${file.name}: ${member}`));
  }
  return arrays;
}

/**
 * One array, as float32 (from 16, 32 or 64-bit floats, little-endian).
 * @param what to call it in messages.
 * @throws ModelError `invalid_checkpoint`; pickled objects are refused.
 */
export function parseNpy(bytes: Uint8Array, what: string): NpyArray {
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  const version = bytes[6] ?? 0;
  if (magic !== MAGIC || version < 1 || version > 3 || bytes.length < 12) {
    throw invalid(`${what}: not a .npy array of version 1 to 3`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerStart = version === 1 ? 10 : 12;
  const dataStart = headerStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataStart > bytes.length)
    throw invalid(`${what}: header reaches to byte ${dataStart}, the array has ${bytes.length}`);
  const header = new TextDecoder().decode(bytes.subarray(headerStart, dataStart));
  const dtype = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const dimensions = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (order === undefined || dimensions === undefined)
    throw invalid(`${what}: header is not readable: ${header.slice(0, 80)}`);
  const shape = (dimensions.match(/\d+/g) ?? []).map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  // A copy, because the array begins at any byte and typed arrays must be aligned.
  const read = <T>(elementBytes: number, make: (buffer: ArrayBuffer) => T): T => {
    const expected = count * elementBytes;
    if (bytes.length - dataStart !== expected) {
      throw invalid(`${what}: ${bytes.length - dataStart} bytes for [${shape}] ${dtype} = ${expected}`);
    }
    return make(bytes.slice(dataStart).buffer as ArrayBuffer);
  };
  const fortranOrder = order === 'True';
  switch (dtype) {
    case '<f4':
      return { shape, fortranOrder, data: read(4, (buffer) => new Float32Array(buffer)) };
    case '<f2':
      return { shape, fortranOrder, data: read(2, (buffer) => float16ToFloat32(new Uint16Array(buffer))) };
    case '<f8':
      return { shape, fortranOrder, data: read(8, (buffer) => Float32Array.from(new Float64Array(buffer))) };
    default: {
      const reason = dtype?.includes('O') ? 'a pickled object, which can run code and is never read' : 'not supported';
      throw invalid(`${what}: dtype ${dtype ?? header.slice(0, 80)} is ${reason}; supported: <f4, <f2, <f8`);
    }
  }
}

/**
 * A convolution kernel HWIO as OIHW, row-major.
 * @throws ModelError `invalid_checkpoint` where it has not four dimensions.
 */
export function kernelToOihw(array: NpyArray, what: string): { shape: number[]; data: Float32Array } {
  if (array.shape.length !== 4) throw invalid(`${what}: shape [${array.shape}] is no kernel [height, width, in, out]`);
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
