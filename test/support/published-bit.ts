/** The published BiT checkpoints in their exact layout, their elements zeros that take no memory: timm's, and Google's `.npz`. */
import { crc32 } from 'node:zlib';
import type { RandomAccessFile } from '../../model-store/checkpoint-directory.ts';

/** A tensor's name and shape, in the order of the file. */
export type Layout = readonly (readonly [name: string, shape: readonly number[]])[];

/** Layers of each stage, by the depth in the name. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};

/** A BiT-R{depth}x{width}. */
export interface Network {
  readonly depth: number;
  readonly width: number;
  readonly classes: number;
}

interface Unit {
  readonly stage: number;
  readonly index: number;
  readonly inputs: number;
  readonly middle: number;
  readonly outputs: number;
}

function unitsOf({ depth, width }: Network): Unit[] {
  let inputs = 64 * width;
  return DEPTHS[depth]!.flatMap((layers, stage) => {
    const outputs = 256 * 2 ** stage * width;
    return Array.from({ length: layers }, (_, index) => {
      const unit = { stage, index, inputs, middle: outputs / 4, outputs };
      inputs = outputs;
      return unit;
    });
  });
}

/** timm's state dict: `resnetv2_{depth}x{width}_bit`. */
export function timmLayout(network: Network): Layout {
  const { width, classes } = network;
  const features = 2048 * width;
  const units = unitsOf(network).flatMap(({ stage, index, inputs, middle, outputs }): [string, number[]][] => {
    const name = `stages.${stage}.blocks.${index}`;
    const norm = (number: number, size: number): [string, number[]][] => [
      [`${name}.norm${number}.weight`, [size]],
      [`${name}.norm${number}.bias`, [size]],
    ];
    return [
      ...(index === 0 ? [[`${name}.downsample.conv.weight`, [outputs, inputs, 1, 1]] as [string, number[]]] : []),
      ...norm(1, inputs),
      [`${name}.conv1.weight`, [middle, inputs, 1, 1]],
      ...norm(2, middle),
      [`${name}.conv2.weight`, [middle, middle, 3, 3]],
      ...norm(3, middle),
      [`${name}.conv3.weight`, [outputs, middle, 1, 1]],
    ];
  });
  return [
    ['stem.conv.weight', [64 * width, 3, 7, 7]],
    ...units,
    ['norm.weight', [features]],
    ['norm.bias', [features]],
    ['head.fc.weight', [classes, features, 1, 1]],
    ['head.fc.bias', [classes]],
  ];
}

/** Google's arrays: kernels are HWIO, units count from 1 in two digits (`bit_pytorch/models.py`, `load_from`). */
export function googleLayout(network: Network): Layout {
  const { width, classes } = network;
  const features = 2048 * width;
  const kernel = (name: string, inputs: number, outputs: number, size: number): [string, number[]] => [
    `resnet/${name}/standardized_conv2d/kernel`,
    [size, size, inputs, outputs],
  ];
  const norm = (name: string, size: number): [string, number[]][] => [
    [`resnet/${name}group_norm/gamma`, [size]],
    [`resnet/${name}group_norm/beta`, [size]],
  ];
  const units = unitsOf(network).flatMap(({ stage, index, inputs, middle, outputs }): [string, number[]][] => {
    const name = `block${stage + 1}/unit${String(index + 1).padStart(2, '0')}`;
    return [
      ...norm(`${name}/a/`, inputs),
      kernel(`${name}/a`, inputs, middle, 1),
      ...(index === 0 ? [kernel(`${name}/a/proj`, inputs, outputs, 1)] : []),
      ...norm(`${name}/b/`, middle),
      kernel(`${name}/b`, middle, middle, 3),
      ...norm(`${name}/c/`, middle),
      kernel(`${name}/c`, middle, outputs, 1),
    ];
  });
  return [
    kernel('root_block', 3, 64 * width, 7),
    ...units,
    ...norm('', features),
    ['resnet/head/conv2d/kernel', [1, 1, features, classes]],
    ['resnet/head/conv2d/bias', [classes]],
  ];
}

/** What big_transfer's PyTorch code calls the tensor that timm calls `name` (`bit_pytorch/models.py`, `ResNetV2`). */
export function bigTransferName(name: string): string {
  return name
    .replace('stem.conv.', 'root.conv.')
    .replace(/^norm\./, 'head.gn.')
    .replace('head.fc.', 'head.conv.')
    .replace(/^stages\.(\d+)\.blocks\.(\d+)\./, (_, stage: string, unit: string) => {
      return `body.block${Number(stage) + 1}.unit${String(Number(unit) + 1).padStart(2, '0')}.`;
    })
    .replace(/\.norm(\d)\./, '.gn$1.')
    .replace('.downsample.conv.', '.downsample.');
}

/** Elements of a shape. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Offsets from here on are in zip64 fields. */
const ZIP32_LIMIT = 0xffff_ffff;

/** Bytes of the largest tensor: pages of it that are only read take no memory. */
let zeros = new Uint8Array(0);

function zeroBytes(length: number): Uint8Array {
  if (zeros.length < length) zeros = new Uint8Array(length);
  return zeros.subarray(0, length);
}

/** A file of pieces that are there and runs of zeros that are not. */
function sparseFile(
  name: string,
  size: number,
  pieces: readonly { at: number; bytes: Uint8Array }[],
): RandomAccessFile {
  return {
    name,
    size,
    async read(offset, length) {
      if (offset + length > size) throw new RangeError(`${name}: ${offset} + ${length} of ${size} bytes`);
      const touched = pieces.filter(({ at, bytes }) => at < offset + length && at + bytes.length > offset);
      if (touched.length === 0) return zeroBytes(length);
      const read = new Uint8Array(length);
      for (const { at, bytes } of touched) {
        const from = Math.max(offset, at);
        const to = Math.min(offset + length, at + bytes.length);
        read.set(bytes.subarray(from - at, to - at), from - offset);
      }
      return read;
    },
    async close() {},
  };
}

/** float32 safetensors of zeros. */
export function zeroSafetensors(name: string, layout: Layout): RandomAccessFile {
  let offset = 0;
  const entries = layout.map(([tensor, shape]) => {
    const start = offset;
    offset += 4 * elementsOf(shape);
    return [tensor, { dtype: 'F32', shape, data_offsets: [start, offset] }];
  });
  const text = JSON.stringify(Object.fromEntries(entries));
  const header = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(header.length), true);
  const pieces = [
    { at: 0, bytes: prefix },
    { at: 8, bytes: header },
  ];
  return sparseFile(name, 8 + header.length + offset, pieces);
}

/**
 * Stored `.npz` of float32 zeros, as `numpy.savez` writes it.
 * @param hasCrc false leaves the CRC-32 of every member wrong, which takes no time: such a file is refused once it is read.
 */
export function zeroNpz(name: string, layout: Layout, hasCrc: boolean): RandomAccessFile {
  const pieces: { at: number; bytes: Uint8Array }[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const [array, shape] of layout) {
    const header = npyHeader(shape);
    const data = 4 * elementsOf(shape);
    const member = new TextEncoder().encode(`${array}.npy`);
    const checksum = hasCrc ? crc32(zeroBytes(data), crc32(header)) : 1;
    const size = header.length + data;
    const local = zipHeader(30, 0x04034b50, 4, checksum, size, member.length);
    pieces.push({ at, bytes: Uint8Array.from([...local, ...member, ...header]) });
    // Behind 4 GiB an offset is in a zip64 field (R152x4 with 21,843 classes).
    const isFar = at >= ZIP32_LIMIT;
    const entry = zipHeader(46, 0x02014b50, 6, checksum, size, member.length);
    const view = new DataView(entry.buffer);
    view.setUint16(30, isFar ? 12 : 0, true);
    view.setUint32(42, isFar ? ZIP32_LIMIT : at, true);
    const extra = new Uint8Array(isFar ? 12 : 0);
    if (isFar) {
      const field = new DataView(extra.buffer);
      field.setUint16(0, 1, true);
      field.setUint16(2, 8, true);
      field.setBigUint64(4, BigInt(at), true);
    }
    central.push(entry, member, extra);
    at += local.length + member.length + size;
  }
  const directory = Uint8Array.from(central.flatMap((bytes) => [...bytes]));
  const end = zipEnd(at, directory.length, layout.length);
  pieces.push({ at, bytes: directory }, { at: at + directory.length, bytes: end });
  return sparseFile(name, at + directory.length + end.length, pieces);
}

/** The end of the directory; behind 4 GiB with the zip64 record and its locator before it. */
function zipEnd(offset: number, bytes: number, count: number): Uint8Array {
  const isFar = offset >= ZIP32_LIMIT;
  const start = isFar ? 56 + 20 : 0;
  const end = new Uint8Array(start + 22);
  const view = new DataView(end.buffer);
  if (isFar) {
    view.setUint32(0, 0x06064b50, true);
    view.setBigUint64(4, 44n, true);
    view.setBigUint64(24, BigInt(count), true);
    view.setBigUint64(32, BigInt(count), true);
    view.setBigUint64(40, BigInt(bytes), true);
    view.setBigUint64(48, BigInt(offset), true);
    view.setUint32(56, 0x07064b50, true);
    view.setBigUint64(64, BigInt(offset + bytes), true);
    view.setUint32(72, 1, true);
  }
  view.setUint32(start, 0x06054b50, true);
  view.setUint16(start + 8, count, true);
  view.setUint16(start + 10, count, true);
  view.setUint32(start + 12, bytes, true);
  view.setUint32(start + 16, isFar ? ZIP32_LIMIT : offset, true);
  return end;
}

function npyHeader(shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padded = `${text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + padded.length);
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0]);
  new DataView(bytes.buffer).setUint16(8, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), 10);
  return bytes;
}

/** The fields that local headers and entries of the directory share, which begin at byte `base` (after the versions). */
function zipHeader(
  bytes: number,
  signature: number,
  base: number,
  crc: number,
  size: number,
  nameBytes: number,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(bytes);
  const view = new DataView(header.buffer);
  view.setUint32(0, signature, true);
  view.setUint32(base + 10, crc, true);
  view.setUint32(base + 14, size, true);
  view.setUint32(base + 18, size, true);
  view.setUint16(base + 22, nameBytes, true);
  return header;
}
