/** Weights as the product takes them, made once when a model is loaded. */

/** Rows of the source that are packed at a time, for all columns: they stay in the cache meanwhile. */
const CHUNK_ROWS: i32 = 64;

/** Eight weights of a row as i8, zero point 128 taken off; what is beyond the row is 0. */
// @ts-ignore: decorator
@inline
function signedRow(row: usize, count: i32): v128 {
  if (count >= 8) return v128.xor(v128.load64_zero(row), i8x16.splat(-128));
  let bytes: u64 = 0;
  for (let i = 0; i < count; i++) bytes |= <u64>(load<u8>(row + i) ^ 0x80) << (<u64>i << 3);
  return i64x2.splat(bytes);
}

/**
 * Packs a kernel in panels of 8 columns.
 * @param source u8 [taps, inputs, outputs], zero point 128.
 * @param target i8 [outputs / 8][taps * inputs / 2][8][2], both numbers rounded up to a multiple of 8, zeros in between.
 */
export function packWeights(source: usize, taps: i32, inputs: i32, outputs: i32, target: usize): void {
  const paddedInputs = (inputs + 7) & ~7;
  const panelBytes = taps * paddedInputs * 8;
  for (let tap = 0; tap < taps; tap++) {
    for (let chunk = 0; chunk < paddedInputs; chunk += CHUNK_ROWS) {
      const end = min(chunk + CHUNK_ROWS, paddedInputs);
      let panel = target + (tap * paddedInputs + chunk) * 8;
      for (let column = 0; column < outputs; column += 8, panel += panelBytes) {
        const count = outputs - column;
        let at = panel;
        for (let input = chunk; input < end; input += 2, at += 16) {
          const row = source + (tap * inputs + input) * outputs + column;
          const even = signedRow(row, input < inputs ? count : 0);
          const odd = signedRow(row + outputs, input + 1 < inputs ? count : 0);
          v128.store(at, v128.shuffle<i8>(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
        }
      }
    }
  }
}
