/**
 * The 8-bit matrix product: a tile of 4 rows by 8 columns, what packs its operands, and its epilogue. Exact: sums are i32.
 *
 * Both operands hold pairs of neighbours along the depth, which `i32x4.dot_i16x8_s` multiplies and adds. Four rows share each load of
 * eight columns: three loads for 64 multiplications, because workerd's V8 checks the address of every load.
 */

/** Bytes of packed rows that a block of rows may take: with a panel of columns it stays in the second-level cache. */
const BLOCK_BYTES: i32 = 384 << 10;

/** Depth that is multiplied at a time: its panel of columns, 16 bytes for each, leaves half of the first-level cache to the rows. */
export const MAX_PANEL_DEPTH: i32 = 1024;

/** How many rows are packed at a time: as many as fit, at least four, a multiple of four. */
export function blockRows(depth: i32): i32 {
  const rows = (BLOCK_BYTES / (depth << 1)) & ~3;
  return max(rows, 4);
}

/**
 * Packs `count` bytes (a multiple of 8) of each of four rows, zero point taken off: i16 [count / 8][4 rows][8].
 * @returns the address behind what was written.
 */
export function packRows(
  target: usize,
  r0: usize,
  r1: usize,
  r2: usize,
  r3: usize,
  count: i32,
  zeroPoint: i32,
): usize {
  const zeros = i16x8.splat(<i16>zeroPoint);
  for (const end = r0 + count; r0 < end; r0 += 8, target += 64) {
    v128.store(target, i16x8.sub(v128.load_ext<u8>(r0), zeros));
    v128.store(target, i16x8.sub(v128.load_ext<u8>(r1), zeros), 16);
    v128.store(target, i16x8.sub(v128.load_ext<u8>(r2), zeros), 32);
    v128.store(target, i16x8.sub(v128.load_ext<u8>(r3), zeros), 48);
    r1 += 8;
    r2 += 8;
    r3 += 8;
  }
  return target;
}

/** Widens a panel of 8 columns: i8 [depth / 2][8 columns][2] to i16. */
export function widenPanel(target: usize, panel: usize, depth: i32): void {
  const end = panel + (depth << 3);
  while (panel < end) {
    const bytes = v128.load(panel);
    v128.store(target, i16x8.extend_low_i8x16_s(bytes));
    v128.store(target, i16x8.extend_high_i8x16_s(bytes), 16);
    panel += 16;
    target += 32;
  }
}

/** Scales one vector of sums and adds what is to be added, in onnxruntime's order: sum * scale, + bias, + residual. */
// @ts-ignore: decorator
@inline
function finish(sums: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(sums), scale);
}

/** Writes one row of a tile. */
// @ts-ignore: decorator
@inline
function writeRow(output: usize, residual: usize, low: v128, high: v128): void {
  if (residual) {
    low = f32x4.add(low, v128.load(residual));
    high = f32x4.add(high, v128.load(residual, 16));
  }
  v128.store(output, low);
  v128.store(output, high, 16);
}

/**
 * A tile: 4 packed rows times 8 packed columns, scaled to f32.
 * @param rows packed rows, i16 [depth / 8][4][8].
 * @param columns packed columns, i16 [depth / 2][8][2], up to `end`; depth a multiple of 8.
 * @param output the first of `count` rows of 8, `pitch` bytes apart.
 * @param scales f32 [8]; 0 for the sums as they are: i32 [4][8] at `output`.
 * @param bias f32 [8] to add; 0 for none.
 * @param residual rows to add, as far apart as the output's; 0 for none.
 * @param start sums to go on from, i32 [4][8]; 0 for none.
 */
export function multiplyTile(
  rows: usize,
  columns: usize,
  end: usize,
  output: usize,
  pitch: i32,
  count: i32,
  scales: usize,
  bias: usize,
  residual: usize,
  start: usize,
): void {
  let c00 = i32x4.splat(0);
  let c01 = i32x4.splat(0);
  let c10 = i32x4.splat(0);
  let c11 = i32x4.splat(0);
  let c20 = i32x4.splat(0);
  let c21 = i32x4.splat(0);
  let c30 = i32x4.splat(0);
  let c31 = i32x4.splat(0);
  if (start) {
    c00 = v128.load(start);
    c01 = v128.load(start, 16);
    c10 = v128.load(start, 32);
    c11 = v128.load(start, 48);
    c20 = v128.load(start, 64);
    c21 = v128.load(start, 80);
    c30 = v128.load(start, 96);
    c31 = v128.load(start, 112);
  }
  let b0: v128;
  let b1: v128;
  let s: v128;
  while (columns < end) {
    const a0 = v128.load(rows);
    const a1 = v128.load(rows, 16);
    const a2 = v128.load(rows, 32);
    const a3 = v128.load(rows, 48);

    // Pair 0 of 4.
    b0 = v128.load(columns);
    b1 = v128.load(columns, 16);
    s = v128.shuffle<i32>(a0, a0, 0, 0, 0, 0);
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(b0, s));
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a1, a1, 0, 0, 0, 0);
    c10 = i32x4.add(c10, i32x4.dot_i16x8_s(b0, s));
    c11 = i32x4.add(c11, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a2, a2, 0, 0, 0, 0);
    c20 = i32x4.add(c20, i32x4.dot_i16x8_s(b0, s));
    c21 = i32x4.add(c21, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a3, a3, 0, 0, 0, 0);
    c30 = i32x4.add(c30, i32x4.dot_i16x8_s(b0, s));
    c31 = i32x4.add(c31, i32x4.dot_i16x8_s(b1, s));

    // Pair 1 of 4.
    b0 = v128.load(columns, 32);
    b1 = v128.load(columns, 48);
    s = v128.shuffle<i32>(a0, a0, 1, 1, 1, 1);
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(b0, s));
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a1, a1, 1, 1, 1, 1);
    c10 = i32x4.add(c10, i32x4.dot_i16x8_s(b0, s));
    c11 = i32x4.add(c11, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a2, a2, 1, 1, 1, 1);
    c20 = i32x4.add(c20, i32x4.dot_i16x8_s(b0, s));
    c21 = i32x4.add(c21, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a3, a3, 1, 1, 1, 1);
    c30 = i32x4.add(c30, i32x4.dot_i16x8_s(b0, s));
    c31 = i32x4.add(c31, i32x4.dot_i16x8_s(b1, s));

    // Pair 2 of 4.
    b0 = v128.load(columns, 64);
    b1 = v128.load(columns, 80);
    s = v128.shuffle<i32>(a0, a0, 2, 2, 2, 2);
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(b0, s));
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a1, a1, 2, 2, 2, 2);
    c10 = i32x4.add(c10, i32x4.dot_i16x8_s(b0, s));
    c11 = i32x4.add(c11, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a2, a2, 2, 2, 2, 2);
    c20 = i32x4.add(c20, i32x4.dot_i16x8_s(b0, s));
    c21 = i32x4.add(c21, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a3, a3, 2, 2, 2, 2);
    c30 = i32x4.add(c30, i32x4.dot_i16x8_s(b0, s));
    c31 = i32x4.add(c31, i32x4.dot_i16x8_s(b1, s));

    // Pair 3 of 4.
    b0 = v128.load(columns, 96);
    b1 = v128.load(columns, 112);
    s = v128.shuffle<i32>(a0, a0, 3, 3, 3, 3);
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(b0, s));
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a1, a1, 3, 3, 3, 3);
    c10 = i32x4.add(c10, i32x4.dot_i16x8_s(b0, s));
    c11 = i32x4.add(c11, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a2, a2, 3, 3, 3, 3);
    c20 = i32x4.add(c20, i32x4.dot_i16x8_s(b0, s));
    c21 = i32x4.add(c21, i32x4.dot_i16x8_s(b1, s));
    s = v128.shuffle<i32>(a3, a3, 3, 3, 3, 3);
    c30 = i32x4.add(c30, i32x4.dot_i16x8_s(b0, s));
    c31 = i32x4.add(c31, i32x4.dot_i16x8_s(b1, s));
    rows += 64;
    columns += 128;
  }
  if (!scales) {
    v128.store(output, c00);
    v128.store(output, c01, 16);
    v128.store(output, c10, 32);
    v128.store(output, c11, 48);
    v128.store(output, c20, 64);
    v128.store(output, c21, 80);
    v128.store(output, c30, 96);
    v128.store(output, c31, 112);
    return;
  }
  const s0 = v128.load(scales);
  const s1 = v128.load(scales, 16);
  c00 = finish(c00, s0);
  c01 = finish(c01, s1);
  c10 = finish(c10, s0);
  c11 = finish(c11, s1);
  c20 = finish(c20, s0);
  c21 = finish(c21, s1);
  c30 = finish(c30, s0);
  c31 = finish(c31, s1);
  if (bias) {
    const o0 = v128.load(bias);
    const o1 = v128.load(bias, 16);
    c00 = f32x4.add(c00, o0);
    c01 = f32x4.add(c01, o1);
    c10 = f32x4.add(c10, o0);
    c11 = f32x4.add(c11, o1);
    c20 = f32x4.add(c20, o0);
    c21 = f32x4.add(c21, o1);
    c30 = f32x4.add(c30, o0);
    c31 = f32x4.add(c31, o1);
  }
  const step: usize = residual ? <usize>pitch : 0;
  writeRow(output, residual, c00, c01);
  if (count < 2) return;
  writeRow((output += pitch), (residual += step), c10, c11);
  if (count < 3) return;
  writeRow((output += pitch), (residual += step), c20, c21);
  if (count < 4) return;
  writeRow(output + pitch, residual + step, c30, c31);
}
