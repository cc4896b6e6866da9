import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { float16Bits, float16BitsToFloat32Bits } from '../../../model-store/float-formats.ts';
import {
  float32Tensor,
  MAX_SAFETENSORS_HEADER_BYTES,
  readSafetensors,
  type SafetensorsTensor,
  tensorToFloat32,
  writeSafetensors,
} from '../../../model-store/safetensors.ts';

const fixtures = new URL('../../fixtures/checkpoint/', import.meta.url);
const reference: { shapes: Record<string, number[]>; float32_bits: Record<string, (number | null)[]> } = JSON.parse(
  readFileSync(new URL('dtypes.json', fixtures), 'utf8'),
);
const referenceBytes = new Uint8Array(readFileSync(new URL('dtypes.safetensors', fixtures)));

/** A file with any header and as many zero data bytes as asked. */
function fileWith(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('readSafetensors', () => {
  const file = readSafetensors(referenceBytes);

  it('reads the metadata, names and shapes that the reference library wrote', () => {
    expect(file.metadata).toEqual({ format: 'pt', 'made by': 'safetensors' });
    const shapes = Object.fromEntries([...file.tensors].map(([name, tensor]) => [name, tensor.shape]));
    expect(shapes).toEqual(reference.shapes);
  });

  it.each(Object.keys(reference.shapes))('gives %s in float32 bit for bit as torch does', (name) => {
    const values = tensorToFloat32(file.tensors.get(name)!);
    const bits = new Uint32Array(values.slice().buffer);
    const actual = Array.from(values, (value, i) => (Number.isNaN(value) ? null : bits[i]));
    expect(actual).toEqual(reference.float32_bits[name]);
  });

  it('reads from a view that begins at an odd byte', () => {
    const shifted = new Uint8Array(referenceBytes.length + 1);
    shifted.set(referenceBytes, 1);
    const values = tensorToFloat32(readSafetensors(shifted.subarray(1)).tensors.get('f32')!);
    expect(values[4]).toBe(3.140625);
  });

  it.each([
    ['a file shorter than its prefix', new Uint8Array(7), '7 bytes'],
    ['a header longer than the file', fileWith({ a: f32(0, 4) }, 4).subarray(0, 20), 'cut off'],
    ['a header that is no JSON', fileWith('{"a"', 0), 'not JSON'],
    ['a header that is an array', fileWith([], 0), 'not a JSON object'],
    ['metadata that is not text', fileWith({ __metadata__: { a: 1 } }, 0), '__metadata__.a'],
    ['an unknown dtype', fileWith({ a: { ...f32(0, 4), dtype: 'F4' } }, 4), '"F4"'],
    ['a dtype named like an object method', fileWith({ a: { ...f32(0, 4), dtype: 'toString' } }, 4), '"toString"'],
    ['a negative dimension', fileWith({ a: f32(0, 4, [-1]) }, 4), 'not a shape'],
    ['a shape that does not fit the bytes', fileWith({ a: f32(0, 4, [2]) }, 4), '4 bytes for [2] F32 = 8'],
    ['reversed offsets', fileWith({ a: f32(4, 0, [1]) }, 4), '-4 bytes'],
    ['a tensor that reaches out of the file', fileWith({ a: f32(0, 8) }, 4), 'the file has'],
    ['overlapping tensors', fileWith({ a: f32(0, 8), b: f32(4, 12) }, 12), 'overlaps'],
    ['a hole between tensors', fileWith({ a: f32(0, 4), b: f32(8, 12) }, 12), 'hole'],
    ['bytes behind the last tensor', fileWith({ a: f32(0, 4) }, 5), 'tensors end at byte'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrowError(message);
    expect(() => readSafetensors(bytes)).toThrowError(expect.objectContaining({ code: 'invalid_checkpoint' }));
  });

  it('refuses a header over the limit without reading it', () => {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(MAX_SAFETENSORS_HEADER_BYTES + 1), true);
    expect(() => readSafetensors(bytes)).toThrowError(`limit ${MAX_SAFETENSORS_HEADER_BYTES}`);
  });
});

it('readSafetensors fails with a typed error, never otherwise, whatever byte of the header is changed', () => {
  const headerEnd = 8 + Number(new DataView(referenceBytes.buffer, referenceBytes.byteOffset).getBigUint64(0, true));
  let refused = 0;
  for (let i = 0; i < headerEnd; i++) {
    for (const flip of [0x01, 0x80]) {
      const copy = referenceBytes.slice();
      copy[i] = copy[i]! ^ flip;
      try {
        for (const tensor of readSafetensors(copy).tensors.values()) tensorToFloat32(tensor);
      } catch (error) {
        expect(error, `byte ${i}`).toMatchObject({ code: 'invalid_checkpoint' });
        refused++;
      }
    }
  }
  expect(refused).toBeGreaterThan(500);
});

describe('writeSafetensors', () => {
  it('writes what the reader gives back, data aligned to its element size', () => {
    const tensors = new Map<string, SafetensorsTensor>([
      ['bytes', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ['weights', float32Tensor([2, 1], Float32Array.of(1.5, -2))],
      ['__proto__', float32Tensor([], Float32Array.of(7))],
    ]);
    const read = readSafetensors(writeSafetensors(tensors, { note: 'ä' }));
    expect(read.metadata).toEqual({ note: 'ä' });
    expect([...read.tensors.keys()]).toEqual(['__proto__', 'weights', 'bytes']);
    expect(tensorToFloat32(read.tensors.get('weights')!)).toEqual(Float32Array.of(1.5, -2));
    expect(read.tensors.get('weights')!.data.byteOffset % 4).toBe(0);
    expect(read.tensors.get('bytes')!.data).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('keeps every tensor of a file that the reference library wrote', () => {
    const { tensors, metadata } = readSafetensors(referenceBytes);
    const rewritten = readSafetensors(writeSafetensors(tensors, metadata));
    expect(rewritten.tensors.size).toBe(tensors.size);
    for (const [name, tensor] of tensors) expect(rewritten.tensors.get(name)).toEqual(tensor);
  });

  it('refuses data that does not fit its shape', () => {
    const tensors = new Map([['a', float32Tensor([3], new Float32Array(2))]]);
    expect(() => writeSafetensors(tensors)).toThrowError('8 bytes for [3] F32 = 12');
  });
});

describe('float16Bits', () => {
  it('inverts the decoder for every finite half', () => {
    const bits = new Uint32Array(1);
    const value = new Float32Array(bits.buffer);
    for (let half = 0; half < 0x10000; half++) {
      if ((half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0) continue;
      bits[0] = float16BitsToFloat32Bits(half);
      if (float16Bits(value[0]!) !== half) expect.fail(`half ${half} came back as ${float16Bits(value[0]!)}`);
    }
  });

  it.each([
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 ** -25, 0],
    [1.5 * 2 ** -24, 2],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [-1e30, 0xfc00],
    [Number.NaN, 0x7e00],
  ])('rounds %f to nearest, ties to even', (value, expected) => {
    expect(float16Bits(value)).toBe(expected);
  });
});
