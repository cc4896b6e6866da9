/**
 * Reduced floating-point formats to float32. Pure arithmetic on bit patterns, no I/O.
 */

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** The float32 bit pattern of an IEEE 754 binary16 bit pattern; exact, subnormals and NaN included. */
export function float16BitsToFloat32Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return (sign | 0x7f800000 | (mantissa << 13)) >>> 0;
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0;
  if (mantissa === 0) return sign >>> 0;
  const shift = Math.clz32(mantissa) - 21;
  return (sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)) >>> 0;
}

/** Binary16 values as float32. `bits` are the raw patterns. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = float16BitsToFloat32Bits(bits[i]!);
  return new Float32Array(out.buffer);
}

/** bfloat16 values as float32: the upper half of each float32. `bits` are the raw patterns. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}

/** OCP 8-bit float E5M2 as float32: the upper half of each binary16. */
export function float8E5M2ToFloat32(bits: Uint8Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = float16BitsToFloat32Bits(bits[i]! << 8);
  return new Float32Array(out.buffer);
}

/** OCP 8-bit float E4M3 ("FN": no infinity, 0x7f and 0xff are NaN) as float32. */
export function float8E4M3ToFloat32(bits: Uint8Array): Float32Array {
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const byte = bits[i]!;
    const exponent = (byte >>> 3) & 0xf;
    const mantissa = byte & 7;
    let magnitude = exponent === 0 ? mantissa * 2 ** -9 : (1 + mantissa / 8) * 2 ** (exponent - 7);
    if (exponent === 0xf && mantissa === 7) magnitude = Number.NaN;
    out[i] = byte & 0x80 ? -magnitude : magnitude;
  }
  return out;
}

/**
 * The binary16 bit pattern nearest to a number, ties to even; too large becomes infinity.
 * The input is rounded to float32 first.
 */
export function float16Bits(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal in binary16: adding 0.5 lets the float32 adder round at the right bit, ties to even.
    scratchBits[0] = magnitude;
    scratchFloat[0] = scratchFloat[0]! + 0.5;
    return sign | (scratchBits[0]! - 0x3f000000);
  }
  const roundToEven = 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((magnitude - 0x38000000 + roundToEven) >>> 13);
}
