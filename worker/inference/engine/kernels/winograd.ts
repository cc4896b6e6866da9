/**
 * 3x3 convolutions with stride 1 by Winograd's F(2x2, 3x3) (Lavin and Gray, arXiv:1509.09308), in integers and exact: a tile of 2x2 outputs
 * takes 16 products instead of 36. Inputs become sums of four values; weights, times 4 so that they stay whole, sums of nine; both fit
 * i16. The sums of products are four times the convolution's, for depths up to 1024 within i32.
 * Weights are transformed when they are used, a panel of columns at a time: 16 products' worth of them would take 3.6 times the memory.
 */
import { multiplyTile } from './product';
import { accumulate } from './statistics';

/** Bytes of transformed inputs that a block of tiles may take. */
const BLOCK_BYTES: i32 = 416 << 10;

/** Bytes between planes besides their own: where planes are a multiple of 4 KiB apart, the lines of 16 fall into one set of the cache. */
const PLANE_GAP_BYTES: i32 = 64;

/** How many tiles are transformed at a time: as many as fit, at least four, a multiple of four. */
export function blockTiles(inputs: i32): i32 {
  const tiles = (BLOCK_BYTES / (inputs << 5)) & ~3;
  return max(tiles, 4);
}

/**
 * Transforms the inputs of one tile, B'dB: sixteen values for each channel.
 * @param window 4x4 pixels, lines `pitch` and pixels `inputs` bytes apart.
 * @param fourZeros four times the zero point.
 * @param target i16 [16 planes][inputs / 8][4 tiles][8], planes `planeBytes` apart; this tile's place in it.
 */
function transformInputs(window: usize, pitch: i32, inputs: i32, fourZeros: i32, target: usize, planeBytes: i32): void {
  const zeros = i16x8.splat(<i16>fourZeros);
  for (const end = window + inputs; window < end; window += 8, target += 64) {
    let at = window;
    let x0 = v128.load_ext<u8>(at);
    let x1 = v128.load_ext<u8>(at + inputs);
    let x2 = v128.load_ext<u8>(at + 2 * inputs);
    let x3 = v128.load_ext<u8>(at + 3 * inputs);
    const t00 = i16x8.sub(x0, x2);
    const t01 = i16x8.add(x1, x2);
    const t02 = i16x8.sub(x2, x1);
    const t03 = i16x8.sub(x1, x3);
    at += pitch;
    x0 = v128.load_ext<u8>(at);
    x1 = v128.load_ext<u8>(at + inputs);
    x2 = v128.load_ext<u8>(at + 2 * inputs);
    x3 = v128.load_ext<u8>(at + 3 * inputs);
    const t10 = i16x8.sub(x0, x2);
    const t11 = i16x8.add(x1, x2);
    const t12 = i16x8.sub(x2, x1);
    const t13 = i16x8.sub(x1, x3);
    at += pitch;
    x0 = v128.load_ext<u8>(at);
    x1 = v128.load_ext<u8>(at + inputs);
    x2 = v128.load_ext<u8>(at + 2 * inputs);
    x3 = v128.load_ext<u8>(at + 3 * inputs);
    const t20 = i16x8.sub(x0, x2);
    const t21 = i16x8.add(x1, x2);
    const t22 = i16x8.sub(x2, x1);
    const t23 = i16x8.sub(x1, x3);
    at += pitch;
    x0 = v128.load_ext<u8>(at);
    x1 = v128.load_ext<u8>(at + inputs);
    x2 = v128.load_ext<u8>(at + 2 * inputs);
    x3 = v128.load_ext<u8>(at + 3 * inputs);
    const t30 = i16x8.sub(x0, x2);
    const t31 = i16x8.add(x1, x2);
    const t32 = i16x8.sub(x2, x1);
    const t33 = i16x8.sub(x1, x3);
    let to = target;
    v128.store(to, i16x8.sub(t00, t20));
    v128.store((to += planeBytes), i16x8.sub(t01, t21));
    v128.store((to += planeBytes), i16x8.sub(t02, t22));
    v128.store((to += planeBytes), i16x8.sub(t03, t23));
    v128.store((to += planeBytes), i16x8.add(t10, t20));
    // The only one whose signs do not cancel the zero point.
    v128.store((to += planeBytes), i16x8.sub(i16x8.add(t11, t21), zeros));
    v128.store((to += planeBytes), i16x8.add(t12, t22));
    v128.store((to += planeBytes), i16x8.add(t13, t23));
    v128.store((to += planeBytes), i16x8.sub(t20, t10));
    v128.store((to += planeBytes), i16x8.sub(t21, t11));
    v128.store((to += planeBytes), i16x8.sub(t22, t12));
    v128.store((to += planeBytes), i16x8.sub(t23, t13));
    v128.store((to += planeBytes), i16x8.sub(t10, t30));
    v128.store((to += planeBytes), i16x8.sub(t11, t31));
    v128.store((to += planeBytes), i16x8.sub(t12, t32));
    v128.store((to += planeBytes), i16x8.sub(t13, t33));
  }
}

/** One line of 2G g 2G': (a, b, c) to (2a, a + b + c, a - b + c, 2c), four planes of weights. */
// @ts-ignore: decorator
@inline
function storeWeightLine(to: usize, planeBytes: i32, a: v128, b: v128, c: v128): void {
  const ends = i16x8.add(a, c);
  v128.store(to, i16x8.add(a, a));
  v128.store(to + planeBytes, i16x8.add(ends, b));
  v128.store(to + 2 * planeBytes, i16x8.sub(ends, b));
  v128.store(to + 3 * planeBytes, i16x8.add(c, c));
}

/** Transforms nine taps of eight pairs of weights, the low or the high half of each vector. */
// @ts-ignore: decorator
@inline
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
  const lineBytes = planeBytes << 2;
  storeWeightLine(to, planeBytes, i16x8.add(w0, w0), i16x8.add(w1, w1), i16x8.add(w2, w2));
  const e0 = i16x8.add(w0, w6);
  const e1 = i16x8.add(w1, w7);
  const e2 = i16x8.add(w2, w8);
  storeWeightLine(to + lineBytes, planeBytes, i16x8.add(e0, w3), i16x8.add(e1, w4), i16x8.add(e2, w5));
  storeWeightLine(to + 2 * lineBytes, planeBytes, i16x8.sub(e0, w3), i16x8.sub(e1, w4), i16x8.sub(e2, w5));
  storeWeightLine(to + 3 * lineBytes, planeBytes, i16x8.add(w6, w6), i16x8.add(w7, w7), i16x8.add(w8, w8));
}

/**
 * Transforms a panel of weights, 2G g 2G'.
 * @param panel i8 [9 taps][inputs / 2][8][2].
 * @param target i16 [16 planes][inputs / 2][8][2], planes `planeBytes` apart.
 */
function transformWeights(panel: usize, inputs: i32, target: usize, planeBytes: i32): void {
  const tapBytes = inputs << 3;
  for (const end = panel + tapBytes; panel < end; panel += 16, target += 32) {
    const w0 = v128.load(panel);
    const w1 = v128.load(panel + tapBytes);
    const w2 = v128.load(panel + 2 * tapBytes);
    const w3 = v128.load(panel + 3 * tapBytes);
    const w4 = v128.load(panel + 4 * tapBytes);
    const w5 = v128.load(panel + 5 * tapBytes);
    const w6 = v128.load(panel + 6 * tapBytes);
    const w7 = v128.load(panel + 7 * tapBytes);
    const w8 = v128.load(panel + 8 * tapBytes);
    storeWeights(
      target,
      planeBytes,
      i16x8.extend_low_i8x16_s(w0),
      i16x8.extend_low_i8x16_s(w1),
      i16x8.extend_low_i8x16_s(w2),
      i16x8.extend_low_i8x16_s(w3),
      i16x8.extend_low_i8x16_s(w4),
      i16x8.extend_low_i8x16_s(w5),
      i16x8.extend_low_i8x16_s(w6),
      i16x8.extend_low_i8x16_s(w7),
      i16x8.extend_low_i8x16_s(w8),
    );
    storeWeights(
      target + 16,
      planeBytes,
      i16x8.extend_high_i8x16_s(w0),
      i16x8.extend_high_i8x16_s(w1),
      i16x8.extend_high_i8x16_s(w2),
      i16x8.extend_high_i8x16_s(w3),
      i16x8.extend_high_i8x16_s(w4),
      i16x8.extend_high_i8x16_s(w5),
      i16x8.extend_high_i8x16_s(w6),
      i16x8.extend_high_i8x16_s(w7),
      i16x8.extend_high_i8x16_s(w8),
    );
  }
}

/** Four outputs: a quarter of the sums, scaled. */
// @ts-ignore: decorator
@inline
function finish(sums: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(sums, 2)), scale);
}

/**
 * Transforms the sums of one tile, A'mA, for four columns, and writes those of its outputs that are inside.
 * @param sums i32, planes `planeBytes` apart.
 * @param output of the tile's first position; `down` and `right` are 0 where there is no second line or column.
 */
function transformSums(sums: usize, planeBytes: i32, scale: v128, output: usize, down: i32, right: i32): void {
  const m00 = v128.load(sums);
  const m01 = v128.load((sums += planeBytes));
  const m02 = v128.load((sums += planeBytes));
  const m03 = v128.load((sums += planeBytes));
  const m10 = v128.load((sums += planeBytes));
  const m11 = v128.load((sums += planeBytes));
  const m12 = v128.load((sums += planeBytes));
  const m13 = v128.load((sums += planeBytes));
  const m20 = v128.load((sums += planeBytes));
  const m21 = v128.load((sums += planeBytes));
  const m22 = v128.load((sums += planeBytes));
  const m23 = v128.load((sums += planeBytes));
  const m30 = v128.load((sums += planeBytes));
  const m31 = v128.load((sums += planeBytes));
  const m32 = v128.load((sums += planeBytes));
  const m33 = v128.load((sums += planeBytes));
  const u00 = i32x4.add(i32x4.add(m00, m10), m20);
  const u01 = i32x4.add(i32x4.add(m01, m11), m21);
  const u02 = i32x4.add(i32x4.add(m02, m12), m22);
  const u03 = i32x4.add(i32x4.add(m03, m13), m23);
  v128.store(output, finish(i32x4.add(i32x4.add(u00, u01), u02), scale));
  if (right) v128.store(output + right, finish(i32x4.sub(i32x4.sub(u01, u02), u03), scale));
  if (!down) return;
  const u10 = i32x4.sub(i32x4.sub(m10, m20), m30);
  const u11 = i32x4.sub(i32x4.sub(m11, m21), m31);
  const u12 = i32x4.sub(i32x4.sub(m12, m22), m32);
  const u13 = i32x4.sub(i32x4.sub(m13, m23), m33);
  v128.store(output + down, finish(i32x4.add(i32x4.add(u10, u11), u12), scale));
  if (right) v128.store(output + down + right, finish(i32x4.sub(i32x4.sub(u11, u12), u13), scale));
}

/**
 * A 3x3 convolution with stride 1: u8 map to f32 rows, the bits of `convolve`.
 * @param source the first window; the map has a line more where `height` is odd, and a pixel more where `width` is.
 * @param pitch bytes from line to line of the map; its pixels are `inputs` bytes, a multiple of 8, 1024 at most.
 * @param height, width of the output.
 * @param weights i8 in panels of 8 columns, [columns / 8][9 * inputs / 2][8][2]; columns a multiple of 8.
 * @param scales f32 [columns].
 * @param output f32 [height * width, columns].
 * @param statistics, channels, groups, share as `convolve`'s.
 * @param scratch tiles * inputs * 32 + inputs * 256 + tiles * 512 + 2048 bytes, where tiles is the smaller of blockTiles(inputs) and all tiles,
 * rounded up to a multiple of 4.
 */
export function convolveWinograd(
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
  const acrossTiles = (width + 1) >> 1;
  const tiles = acrossTiles * ((height + 1) >> 1);
  const rowBytes = columns << 2;
  const lineBytes = width * rowBytes;
  const panelBytes = 9 * inputs * 8;
  const weightPlaneBytes = (inputs << 4) + PLANE_GAP_BYTES;
  const block = min(blockTiles(inputs), (tiles + 3) & ~3);
  const panelsOfBlock = block >> 2;
  const inputPlaneBytes = panelsOfBlock * (inputs << 3) + PLANE_GAP_BYTES;
  const packedWeights = scratch;
  const sums = packedWeights + (weightPlaneBytes << 4);
  const sumPlaneBytes = panelsOfBlock << 7;
  const packedInputs = sums + (sumPlaneBytes << 4);
  if (statistics) memory.fill(statistics, 0, groups << 3);
  let summedLines = 0;
  for (let first = 0; first < tiles; first += block) {
    const count = min(block, tiles - first);
    const padded = (count + 3) & ~3;
    for (let i = 0; i < padded; i++) {
      const tile = first + min(i, count - 1);
      const y = tile / acrossTiles;
      const x = tile - y * acrossTiles;
      const window = source + 2 * y * pitch + 2 * x * inputs;
      const target = packedInputs + (i >> 2) * (inputs << 3) + ((i & 3) << 4);
      transformInputs(window, pitch, inputs, zeroPoint << 2, target, inputPlaneBytes);
    }
    for (let column = 0; column < columns; column += 8) {
      transformWeights(weights + (column >> 3) * panelBytes, inputs, packedWeights, weightPlaneBytes);
      for (let plane = 0; plane < 16; plane++) {
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
        const to = output + 2 * y * lineBytes + 2 * x * rowBytes + (column << 2);
        const down = 2 * y + 1 < height ? lineBytes : 0;
        const right = 2 * x + 1 < width ? rowBytes : 0;
        const from = sums + (i << 5);
        transformSums(from, sumPlaneBytes, scale0, to, down, right);
        transformSums(from + 16, sumPlaneBytes, scale1, to + 16, down, right);
      }
    }
    if (!statistics) continue;
    const wholeLines = first + count === tiles ? height : ((first + count) / acrossTiles) << 1;
    const rows = output + summedLines * lineBytes;
    accumulate(rows, (wholeLines - summedLines) * width, columns, channels, groups, share, statistics);
    summedLines = wholeLines;
  }
}
