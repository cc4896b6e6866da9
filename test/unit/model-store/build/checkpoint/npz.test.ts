import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { kernelToOihw, type NpyArray, readNpz } from '../../../../../model-store/build/checkpoint/npz.ts';
import { memoryFile } from '../../../../../model-store/checkpoint-directory.ts';
import { crc32 } from '../../../../../model-store/crc32.ts';

const fixtures = new URL('../../../../fixtures/checkpoint/', import.meta.url);
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, fixtures)));
const expected: { shapes: Record<string, number[]>; values: Record<string, number[]>; oihw: number[] } = JSON.parse(
  readFileSync(new URL('npz.json', fixtures), 'utf8'),
);
/** Every array, read. */
async function open(bytes: Uint8Array): Promise<Map<string, NpyArray>> {
  const arrays = new Map<string, NpyArray>();
  for (const [name, entry] of await readNpz(memoryFile('test.npz', bytes))) {
    const array = await entry.read();
    expect(array.shape).toEqual(entry.shape);
    arrays.set(name, array);
  }
  return arrays;
}

/** Overwrites bytes at the first place where `pattern` occurs. */
function patched(bytes: Uint8Array, pattern: number[], at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  const start = copy.findIndex((_, i) => pattern.every((value, j) => copy[i + j] === value));
  copy.set(values, start + at);
  return copy;
}
const CENTRAL = [0x50, 0x4b, 1, 2];
const LOCAL = [0x50, 0x4b, 3, 4];

describe('readNpz', () => {
  it('reads deflated arrays of every float type, as NumPy wrote them', async () => {
    const arrays = await open(read('deflated.npz'));
    expect(Object.fromEntries([...arrays].map(([name, { shape }]) => [name, shape]))).toEqual(expected.shapes);
    for (const name of ['c/kernel', 'half', 'double', 'scalar', 'empty']) {
      expect(arrays.get(name)!.data, name).toEqual(Float32Array.from(expected.values[name]!));
    }
    expect(arrays.get('zeros')!.data).toEqual(new Float32Array(100_000));
  });

  it('reads sizes and offsets from zip64 records, and headers of version 2', async () => {
    const arrays = await open(read('zip64.npz'));
    expect([...arrays.keys()]).toEqual(['c/kernel', 'half', 'scalar', 'double']);
    expect(arrays.get('half')!.data).toEqual(Float32Array.from(expected.values.half!));
  });

  it('turns kernels of both memory orders into OIHW', async () => {
    const arrays = await open(read('deflated.npz'));
    for (const name of ['c/kernel', 'fortran/kernel']) {
      const { shape, data } = kernelToOihw(arrays.get(name)!, name);
      expect(shape).toEqual([5, 4, 3, 2]);
      expect(data, name).toEqual(Float32Array.from(expected.oihw));
    }
    expect(arrays.get('fortran/kernel')!.fortranOrder).toBe(true);
  });

  const deflated = read('deflated.npz');
  it.each([
    ['a file that is not a zip', new Uint8Array(1000), 'not a zip file'],
    ['an empty file', new Uint8Array(0), 'not a zip file'],
    ['an archive that is cut off', deflated.subarray(0, deflated.length - 30), 'not a zip file'],
    ['pickled objects', read('objects.npz'), 'pickled object'],
    ['integers', read('integers.npz'), 'dtype <i4 is not supported'],
    ['damaged data', patched(deflated, LOCAL, 60, 0xff, 0xff, 0xff), 'c/kernel.npy" is damaged'],
    ['a wrong CRC', patched(deflated, CENTRAL, 16, 1, 2, 3, 4), 'expected 04030201'],
    ['an encrypted member', patched(deflated, CENTRAL, 8, 1), 'is encrypted'],
    ['an unknown compression', patched(deflated, CENTRAL, 10, 12), 'compression method 12'],
    ['more bytes than the member claims', patched(deflated, CENTRAL, 24, 10, 0, 0, 0), '10 bytes it claims'],
    ['fewer bytes than the member claims', patched(deflated, CENTRAL, 24, 0, 0, 1, 0), '65536 bytes it claims'],
    ['a member behind the end', patched(deflated, CENTRAL, 42, 0, 0, 0, 1), 'behind the end'],
    ['a member without its local header', patched(deflated, CENTRAL, 42, 1), 'no local header'],
    ['a directory that breaks off', patched(deflated, CENTRAL, 28, 0xff, 0xff), 'breaks off at entry 0'],
  ])('refuses %s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrowError(message);
    await expect(open(bytes)).rejects.toMatchObject({ code: 'invalid_checkpoint' });
  });

  it('fails with a typed error, never otherwise, whatever byte is changed', async () => {
    const bytes = read('zip64.npz');
    let refused = 0;
    for (let i = 0; i < bytes.length; i++) {
      const copy = bytes.slice();
      copy[i] = copy[i]! ^ 0x81;
      const code = await open(copy).then(
        () => 'accepted',
        (error: { code?: string }) => error.code ?? error,
      );
      if (code !== 'accepted') {
        expect(code, `byte ${i}`).toBe('invalid_checkpoint');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});

it('crc32 gives the check value of the standard, at any length and alignment', () => {
  const digits = new TextEncoder().encode('123456789');
  expect(crc32(digits)).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
  const shifted = new Uint8Array(12);
  shifted.set(digits, 3);
  expect(crc32(shifted.subarray(3))).toBe(0xcbf43926);
});
