/**
 * IEEE 754 binary16 to and from numbers. Pure.
 * Source: IEEE 754-2019, 3.6: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits.
 */

/** The largest finite half, 65504. */
export const FLOAT16_MAX = 65504;

/** The number that 16 bits stand for. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The 16 bits nearest to a number, ties to even; beyond the largest half by half a step or more: infinity. */
export function numberToFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = magnitude < 2 ** -14 ? -14 : Math.min(15, Math.floor(Math.log2(magnitude)));
  const steps = roundToEven(magnitude * 2 ** (10 - exponent));
  // `steps` is 1024..2048 for normal numbers and 0..1024 below; adding it carries into the exponent by itself.
  return sign | ((exponent + 14) * 1024 + steps);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
