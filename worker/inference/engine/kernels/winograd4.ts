/**
 * 3x3 convolutions with stride 1 by Winograd's F(4x4, 3x3), in integers: a tile of 4x4 outputs takes 36 products instead of 144
 * (F(2x2, 3x3), winograd.ts: 64). Each row of the weights' transform is scaled so that it is whole: (a, b, c) to a, a + b + c, a - b + c,
 * a + 2b + 4c, a - 2b + 4c, c; the outputs' transform evens that out, and its results are 576 times the convolution's sums. Inputs reach
 * 100 * 255, weights 49 * 128: both fit i16. Sums may wrap around on the way, as the division by 576 = 9 * 64 is one modulo 2^32: times
 * the inverse of 9, then a shift by 6. That is exact if 64 times the sum fits i32: if no column's weights sum to more than 131586 in
 * absolute value, which `largestWeightSum` tells.
 */
import { multiplyTile } from './product';
import { accumulate } from './statistics';

/** Bytes of transformed inputs that a block of tiles may take. */
const BLOCK_BYTES: i32 = 416 << 10;

/** Bytes between planes besides their own: where planes are a multiple of 4 KiB apart, their lines fall into one set of the cache. */
const PLANE_GAP_BYTES: i32 = 64;

const PLANES: i32 = 36;
/** Transformed lines of one tile, before its columns are transformed. */
const LINES_BYTES: i32 = 36 * 16;
/** 1 / 9 modulo 2^32. */
const INVERSE_OF_9: i32 = 0x38e38e39;

/** How many tiles are transformed at a time: a multiple of four, and blocks of about the same size. */
export function blockTiles(tiles: i32, inputs: i32): i32 {
  const most = max((BLOCK_BYTES / (2 * PLANES * inputs)) & ~3, 4);
  const blocks = (tiles + most - 1) / most;
  return ((tiles + blocks - 1) / blocks + 3) & ~3;
}

/** B'd of six values, i16, stored `step` bytes apart. */
// @ts-ignore: decorator
@inline
function storeInputs(to: usize, step: i32, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128): void {
  const d42 = i16x8.sub(d4, d2);
  const twice31 = i16x8.shl(i16x8.sub(d3, d1), 1);
  v128.store(to, i16x8.add(i16x8.shl(i16x8.sub(d0, d2), 2), d42));
  v128.store((to += step), i16x8.sub(i16x8.shl(i16x8.add(d1, d2), 2), i16x8.add(d3, d4)));
  v128.store((to += step), i16x8.add(i16x8.shl(i16x8.sub(d2, d1), 2), i16x8.sub(d3, d4)));
  v128.store((to += step), i16x8.add(d42, twice31));
  v128.store((to += step), i16x8.sub(d42, twice31));
  v128.store(to + step, i16x8.sub(i16x8.sub(d5, d3), i16x8.shl(twice31, 1)));
}

/**
 * Transforms the inputs of one tile, B'dB: 36 values for each channel.
 * @param window 6x6 pixels, lines `pitch` and pixels `inputs` bytes apart.
 * @param target i16 [36 planes][inputs / 8][4 tiles][8], planes `planeBytes` apart; this tile's place in it.
 * @param linesAt LINES_BYTES of scratch.
 */
function transformInputs(
  window: usize,
  pitch: i32,
  inputs: i32,
  zeroPoint: i32,
  target: usize,
  planeBytes: i32,
  linesAt: usize,
): void {
  // Rows of B' sum to zero but for the second, whose sum is 6: of the planes, one sees the zero point.
  const zeros = i16x8.splat(<i16>(36 * zeroPoint));
  for (const end = window + inputs; window < end; window += 8, target += 64) {
    let at = window;
    for (let to = linesAt; to < linesAt + LINES_BYTES; to += 96, at += pitch) {
      storeInputs(
        to,
        16,
        v128.load_ext<u8>(at),
        v128.load_ext<u8>(at + inputs),
        v128.load_ext<u8>(at + 2 * inputs),
        v128.load_ext<u8>(at + 3 * inputs),
        v128.load_ext<u8>(at + 4 * inputs),
        v128.load_ext<u8>(at + 5 * inputs),
      );
    }
    let to = target;
    for (let from = linesAt; from < linesAt + 96; from += 16, to += planeBytes) {
      storeInputs(
        to,
        6 * planeBytes,
        v128.load(from),
        v128.load(from, 96),
        v128.load(from, 192),
        v128.load(from, 288),
        v128.load(from, 384),
        v128.load(from, 480),
      );
    }
    const seeing = target + 7 * planeBytes;
    v128.store(seeing, i16x8.sub(v128.load(seeing), zeros));
  }
}

/** One line of weights, (a, b, c) transformed: six planes. */
// @ts-ignore: decorator
@inline
function storeWeightLine(to: usize, planeBytes: i32, a: v128, b: v128, c: v128): void {
  const ends = i16x8.add(a, c);
  const outer = i16x8.add(a, i16x8.shl(c, 2));
  const twice = i16x8.add(b, b);
  v128.store(to, a);
  v128.store((to += planeBytes), i16x8.add(ends, b));
  v128.store((to += planeBytes), i16x8.sub(ends, b));
  v128.store((to += planeBytes), i16x8.add(outer, twice));
  v128.store((to += planeBytes), i16x8.sub(outer, twice));
  v128.store(to + planeBytes, c);
}

/** Transforms nine taps of four pairs of weights. */
function storeWeights(
  to: usize,
  planeBytes: i32,
  w0: v128,
  w1: v128,
  w2: v128,
  w3: v128,
  w4: v128,
  w5: v128,
  w6: v128,
  w7: v128,
  w8: v128,
): void {
  const lineBytes = 6 * planeBytes;
  storeWeightLine(to, planeBytes, w0, w1, w2);
  let e0 = i16x8.add(w0, w6);
  let e1 = i16x8.add(w1, w7);
  let e2 = i16x8.add(w2, w8);
  storeWeightLine((to += lineBytes), planeBytes, i16x8.add(e0, w3), i16x8.add(e1, w4), i16x8.add(e2, w5));
  storeWeightLine((to += lineBytes), planeBytes, i16x8.sub(e0, w3), i16x8.sub(e1, w4), i16x8.sub(e2, w5));
  e0 = i16x8.add(w0, i16x8.shl(w6, 2));
  e1 = i16x8.add(w1, i16x8.shl(w7, 2));
  e2 = i16x8.add(w2, i16x8.shl(w8, 2));
  w3 = i16x8.add(w3, w3);
  w4 = i16x8.add(w4, w4);
  w5 = i16x8.add(w5, w5);
  storeWeightLine((to += lineBytes), planeBytes, i16x8.add(e0, w3), i16x8.add(e1, w4), i16x8.add(e2, w5));
  storeWeightLine((to += lineBytes), planeBytes, i16x8.sub(e0, w3), i16x8.sub(e1, w4), i16x8.sub(e2, w5));
  storeWeightLine(to + lineBytes, planeBytes, w6, w7, w8);
}

/**
 * Transforms a panel of weights.
 * @param panel i8 [9 taps][inputs / 2][8][2].
 * @param target i16 [36 planes][inputs / 2][8][2], planes `planeBytes` apart.
 */
function transformWeights(panel: usize, inputs: i32, target: usize, planeBytes: i32): void {
  const tapBytes = inputs << 3;
  // Eight bytes at a time: four columns' pairs.
  for (const end = panel + tapBytes; panel < end; panel += 8, target += 16) {
    storeWeights(
      target,
      planeBytes,
      v128.load_ext<i8>(panel),
      v128.load_ext<i8>(panel + tapBytes),
      v128.load_ext<i8>(panel + 2 * tapBytes),
      v128.load_ext<i8>(panel + 3 * tapBytes),
      v128.load_ext<i8>(panel + 4 * tapBytes),
      v128.load_ext<i8>(panel + 5 * tapBytes),
      v128.load_ext<i8>(panel + 6 * tapBytes),
      v128.load_ext<i8>(panel + 7 * tapBytes),
      v128.load_ext<i8>(panel + 8 * tapBytes),
    );
  }
}

/** 24 A'm of six sums: four values, stored 16 bytes apart. */
// @ts-ignore: decorator
@inline
function storeSums(to: usize, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128): void {
  const s = i32x4.add(m1, m2);
  const d = i32x4.sub(m1, m2);
  const p = i32x4.add(m3, m4);
  const q = i32x4.shl(i32x4.sub(m3, m4), 1);
  v128.store(to, i32x4.add(i32x4.add(i32x4.shl(i32x4.add(m0, s), 2), i32x4.shl(m0, 1)), p));
  v128.store(to, i32x4.add(i32x4.shl(d, 2), q), 16);
  v128.store(to, i32x4.shl(i32x4.add(s, p), 2), 32);
  const six = i32x4.shl(i32x4.add(i32x4.shl(m5, 1), m5), 1);
  v128.store(to, i32x4.shl(i32x4.add(i32x4.add(d, q), six), 2), 48);
}

/**
 * Transforms the sums of one tile for four columns, and writes its outputs that are inside.
 * @param sums i32, planes `planeBytes` apart.
 * @param linesAt scratch.
 * @param output of the tile's first position, lines `lineBytes` and positions `rowBytes` apart; `height` lines by `width`.
 */
function transformSums(
  sums: usize,
  planeBytes: i32,
  linesAt: usize,
  scale: v128,
  output: usize,
  lineBytes: i32,
  rowBytes: i32,
  height: i32,
  width: i32,
): void {
  for (let to = linesAt; to < linesAt + 6 * 64; to += 64) {
    storeSums(
      to,
      v128.load(sums),
      v128.load(sums + planeBytes),
      v128.load(sums + 2 * planeBytes),
      v128.load(sums + 3 * planeBytes),
      v128.load(sums + 4 * planeBytes),
      v128.load(sums + 5 * planeBytes),
    );
    sums += 6 * planeBytes;
  }
  const results = linesAt + 6 * 64;
  const inverse = i32x4.splat(INVERSE_OF_9);
  for (let x = 0; x < width; x++, output += rowBytes) {
    const from = linesAt + (x << 4);
    storeSums(
      results,
      v128.load(from),
      v128.load(from, 64),
      v128.load(from, 128),
      v128.load(from, 192),
      v128.load(from, 256),
      v128.load(from, 320),
    );
    let to = output;
    for (let y = 0; y < height; y++, to += lineBytes) {
      const sum = i32x4.shr_s(i32x4.mul(v128.load(results + (y << 4)), inverse), 6);
      v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(sum), scale));
    }
  }
}

/**
 * A 3x3 convolution with stride 1: u8 map to f32 rows, the bits of `convolve`, if the weights' sums allow it (see above).
 * @param source the first window; the map goes on until its tiles of 4x4 outputs are whole.
 * @param scratch tiles * (inputs * 72 + 1152) + inputs * 576 + 5632 bytes, tiles being blockTiles of all.
 * The other parameters are those of `convolveWinograd`.
 */
export function convolveWinograd4(
  source: usize,
  pitch: i32,
  inputs: i32,
  zeroPoint: i32,
  height: i32,
  width: i32,
  weights: usize,
  columns: i32,
  scales: usize,
  output: usize,
  statistics: usize,
  channels: i32,
  groups: i32,
  share: f32,
  scratch: usize,
): void {
  const acrossTiles = (width + 3) >> 2;
  const tiles = acrossTiles * ((height + 3) >> 2);
  const rowBytes = columns << 2;
  const lineBytes = width * rowBytes;
  const panelBytes = 9 * inputs * 8;
  const weightPlaneBytes = (inputs << 4) + PLANE_GAP_BYTES;
  const block = blockTiles(tiles, inputs);
  const inputPlaneBytes = (block >> 2) * (inputs << 3) + PLANE_GAP_BYTES;
  const sumPlaneBytes = block << 5;
  const packedWeights = scratch + 1024;
  const sums = packedWeights + PLANES * weightPlaneBytes;
  const packedInputs = sums + PLANES * sumPlaneBytes;
  if (statistics) memory.fill(statistics, 0, groups << 3);
  let summedLines = 0;
  for (let first = 0; first < tiles; first += block) {
    const count = min(block, tiles - first);
    const padded = (count + 3) & ~3;
    for (let i = 0; i < padded; i++) {
      const tile = first + min(i, count - 1);
      const y = tile / acrossTiles;
      const x = tile - y * acrossTiles;
      const window = source + 4 * y * pitch + 4 * x * inputs;
      const target = packedInputs + (i >> 2) * (inputs << 3) + ((i & 3) << 4);
      transformInputs(window, pitch, inputs, zeroPoint, target, inputPlaneBytes, scratch);
    }
    for (let column = 0; column < columns; column += 8) {
      transformWeights(weights + (column >> 3) * panelBytes, inputs, packedWeights, weightPlaneBytes);
      for (let plane = 0; plane < PLANES; plane++) {
        const panel = packedWeights + plane * weightPlaneBytes;
        let rows = packedInputs + plane * inputPlaneBytes;
        let at = sums + plane * sumPlaneBytes;
        for (let i = 0; i < padded; i += 4, rows += inputs << 3, at += 128) {
          multiplyTile(rows, panel, panel + (inputs << 4), at, 0, 4, 0, 0, 0, 0);
        }
      }
      const scale0 = v128.load(scales + (column << 2));
      const scale1 = v128.load(scales + (column << 2), 16);
      for (let i = 0; i < count; i++) {
        const tile = first + i;
        const y = tile / acrossTiles;
        const x = tile - y * acrossTiles;
        const to = output + 4 * y * lineBytes + 4 * x * rowBytes + (column << 2);
        const h = min(height - 4 * y, 4);
        const w = min(width - 4 * x, 4);
        const from = sums + (i << 5);
        transformSums(from, sumPlaneBytes, scratch, scale0, to, lineBytes, rowBytes, h, w);
        transformSums(from + 16, sumPlaneBytes, scratch, scale1, to + 16, lineBytes, rowBytes, h, w);
      }
    }
    if (!statistics) continue;
    const wholeLines = first + count === tiles ? height : ((first + count) / acrossTiles) << 2;
    const rows = output + summedLines * lineBytes;
    accumulate(rows, (wholeLines - summedLines) * width, columns, channels, groups, share, statistics);
    summedLines = wholeLines;
  }
}

/**
 * The largest sum of a column's weights, each without its sign.
 * @param weights i8 in panels of 8 columns, [columns / 8][depth / 2][8][2].
 */
export function largestWeightSum(weights: usize, depth: i32, columns: i32): i32 {
  let largest = i32x4.splat(0);
  const ones = i16x8.splat(1);
  for (let column = 0; column < columns; column += 8) {
    let low = i32x4.splat(0);
    let high = i32x4.splat(0);
    for (const end = weights + (depth << 3); weights < end; weights += 16) {
      const bytes = v128.load(weights);
      low = i32x4.add(low, i32x4.dot_i16x8_s(i16x8.abs(i16x8.extend_low_i8x16_s(bytes)), ones));
      high = i32x4.add(high, i32x4.dot_i16x8_s(i16x8.abs(i16x8.extend_high_i8x16_s(bytes)), ones));
    }
    largest = i32x4.max_s(largest, i32x4.max_s(low, high));
  }
  const pair = max(i32x4.extract_lane(largest, 0), i32x4.extract_lane(largest, 1));
  return max(pair, max(i32x4.extract_lane(largest, 2), i32x4.extract_lane(largest, 3)));
}
