/** Group norm, residual sum, ReLU and quantization, in one pass over f32 rows. */

/** 1.5 * 2^23: added to a small f32, it rounds to the nearest integer, ties to even, and leaves it in the lowest bits. */
const ROUNDING: f32 = 12582912;
const ROUNDING_BITS: i32 = 0x4b400000;

/**
 * A factor and an offset for each channel, from a group norm's statistics and parameters, in the order of the ONNX graph's nodes.
 * `Mathf.pow` is the same function as onnxruntime's: musl's powf.
 * @param statistics f32 [2, groups]: means, means of squares.
 * @param gamma, beta f32 [channels]; channel c is of group c % groups.
 * @param factors f32 [2, columns]: factors, offsets. Columns beyond `channels` get zeros.
 */
export function normFactors(
  statistics: usize,
  groups: i32,
  channels: i32,
  columns: i32,
  gamma: usize,
  beta: usize,
  epsilon: f32,
  factors: usize,
): void {
  const offsets = factors + (columns << 2);
  memory.fill(factors, 0, columns << 3);
  for (let group = 0; group < groups; group++) {
    const mean = load<f32>(statistics + (group << 2));
    const square = load<f32>(statistics + ((groups + group) << 2));
    const variance: f32 = square - mean * mean;
    const inverse = Mathf.pow(max<f32>(variance + epsilon, epsilon), -0.5);
    for (let at = group << 2; at < channels << 2; at += groups << 2) {
      const factor: f32 = inverse * load<f32>(gamma + at);
      store<f32>(factors + at, factor);
      store<f32>(offsets + at, load<f32>(beta + at) - mean * factor);
    }
  }
}

/** Four values as integers from `low + zero point` to `high + zero point`, by onnxruntime's division. */
// @ts-ignore: decorator
@inline
function quantize(x: v128, scale: v128, low: v128, high: v128, bits: v128): v128 {
  const clamped = f32x4.pmin(high, f32x4.pmax(low, f32x4.div(x, scale)));
  return i32x4.sub(f32x4.add(clamped, f32x4.splat(ROUNDING)), bits);
}

/**
 * x * factor + offset, + residual, not below `floor`: as f32 rows, as a u8 map, or both.
 * @param rows f32 [height * width, columns].
 * @param factors f32 [2, columns]: factors, offsets.
 * @param residual f32 rows to add; 0 for none.
 * @param floor 0 for a ReLU, -Infinity for none.
 * @param floats f32 rows to write (may be `rows` or `residual`); 0 for none.
 * @param map where the map's position (0, 0) begins, its lines `pitch` bytes apart, its pixels `columns`; 0 for none.
 * @param scale, zeroPoint of the map: value / scale rounded to even + zeroPoint, from 0 to 255.
 */
export function normalizeRows(
  rows: usize,
  height: i32,
  width: i32,
  columns: i32,
  factors: usize,
  residual: usize,
  floor: f32,
  floats: usize,
  map: usize,
  pitch: i32,
  scale: f32,
  zeroPoint: i32,
): void {
  const columnBytes = columns << 2;
  const floors = f32x4.splat(floor);
  const scales = f32x4.splat(scale);
  const low = f32x4.splat(<f32>-zeroPoint);
  const high = f32x4.splat(<f32>255 - <f32>zeroPoint);
  const bits = i32x4.splat(ROUNDING_BITS - zeroPoint);
  for (let y = 0; y < height; y++) {
    let target = map;
    for (let x = 0; x < width; x++) {
      for (let at = 0; at < columnBytes; at += 32) {
        const factor = factors + at;
        let v0 = f32x4.add(f32x4.mul(v128.load(rows), v128.load(factor)), v128.load(factor + columnBytes));
        let v1 = f32x4.add(f32x4.mul(v128.load(rows, 16), v128.load(factor, 16)), v128.load(factor + columnBytes, 16));
        rows += 32;
        if (residual) {
          v0 = f32x4.add(v0, v128.load(residual));
          v1 = f32x4.add(v1, v128.load(residual, 16));
          residual += 32;
        }
        v0 = f32x4.pmax(floors, v0);
        v1 = f32x4.pmax(floors, v1);
        if (floats) {
          v128.store(floats, v0);
          v128.store(floats, v1, 16);
          floats += 32;
        }
        if (map) {
          const words = i16x8.narrow_i32x4_s(quantize(v0, scales, low, high, bits), quantize(v1, scales, low, high, bits));
          v128.store64_lane(target, i8x16.narrow_i16x8_u(words, words), 0);
          target += 8;
        }
      }
    }
    if (map) map += pitch;
  }
}

/**
 * f32 values as u8: value / scale rounded to even + zeroPoint, from 0 to 255.
 * @param count a multiple of 8.
 */
export function quantizeValues(values: usize, count: i32, scale: f32, zeroPoint: i32, output: usize): void {
  const scales = f32x4.splat(scale);
  const low = f32x4.splat(<f32>-zeroPoint);
  const high = f32x4.splat(<f32>255 - <f32>zeroPoint);
  const bits = i32x4.splat(ROUNDING_BITS - zeroPoint);
  for (const end = output + count; output < end; output += 8, values += 32) {
    const v0 = quantize(v128.load(values), scales, low, high, bits);
    const v1 = quantize(v128.load(values, 16), scales, low, high, bits);
    const words = i16x8.narrow_i32x4_s(v0, v1);
    v128.store64_lane(output, i8x16.narrow_i16x8_u(words, words), 0);
  }
}

/**
 * Fills the border of a map with a value.
 * @param map where the map begins, border included.
 * @param height, width in pixels, without the border; `pixel` bytes each.
 */
export function fillBorder(
  map: usize,
  height: i32,
  width: i32,
  top: i32,
  left: i32,
  bottom: i32,
  right: i32,
  pixel: i32,
  value: i32,
): void {
  const pitch = (left + width + right) * pixel;
  memory.fill(map, <u8>value, top * pitch);
  map += top * pitch;
  for (let y = 0; y < height; y++) {
    memory.fill(map, <u8>value, left * pixel);
    memory.fill(map + (left + width) * pixel, <u8>value, right * pixel);
    map += pitch;
  }
  memory.fill(map, <u8>value, bottom * pitch);
}
