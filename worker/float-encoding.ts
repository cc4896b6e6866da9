/** Floats in JSON: as numbers, or as base64 of little-endian float32, a quarter of the size. */

/** How floats are sent. */
export type FloatEncoding = 'float' | 'base64';

/** Numbers, or base64. */
export type EncodedFloats = readonly number[] | string;

/** Encodes float32 values. */
export function encodeFloats(values: Float32Array, encoding: FloatEncoding): EncodedFloats {
  if (encoding === 'float') return Array.from(values);
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The vector divided by its Euclidean length; a vector of zeros stays one. */
export function l2Normalize(values: Float32Array): Float32Array {
  let sum = 0;
  for (const value of values) sum += value * value;
  const norm = Math.sqrt(sum);
  return norm === 0 ? values : values.map((value) => value / norm);
}
