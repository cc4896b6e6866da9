/** The engine's kernels by definition: one value at a time, float32 after every operation. */

const f32 = Math.fround;

/** A u8 map [height, width, channels] without its border, which is the zero point. */
export interface ScalarMap {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly zeroPoint: number;
}

/** A square window: kernel, stride, dilation, and the pads before the first line and column. */
export interface ScalarWindow {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly top: number;
  readonly left: number;
}

/** Integer sums of a convolution, [height * width, outputs]; weights u8 [kernel * kernel, inputs, outputs], zero point 128. */
export function convolutionSums(
  map: ScalarMap,
  { kernel, stride, dilation, top, left }: ScalarWindow,
  weights: Uint8Array,
  outputs: number,
  height: number,
  width: number,
): Int32Array {
  const { data, channels, zeroPoint } = map;
  const sums = new Int32Array(height * width * outputs);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += outputs) {
      for (let tap = 0; tap < kernel * kernel; tap++) {
        const row = y * stride + Math.floor(tap / kernel) * dilation - top;
        const column = x * stride + (tap % kernel) * dilation - left;
        if (row < 0 || row >= map.height || column < 0 || column >= map.width) continue;
        for (let c = 0; c < channels; c++) {
          const value = data[(row * map.width + column) * channels + c]! - zeroPoint;
          const from = (tap * channels + c) * outputs;
          for (let o = 0; o < outputs; o++) sums[at + o]! += value * (weights[from + o]! - 128);
        }
      }
    }
  }
  return sums;
}

/** Sums to float32 rows: sum * scale, + bias, + residual. */
export function scaleSums(
  sums: Int32Array,
  scales: Float32Array,
  bias: Float32Array | null,
  residual: Float32Array | null,
): Float32Array {
  return Float32Array.from(sums, (sum, i) => {
    const channel = i % scales.length;
    let value = f32(f32(sum) * scales[channel]!);
    if (bias !== null) value = f32(value + bias[channel]!);
    return residual === null ? value : f32(value + residual[i]!);
  });
}

/** Means of the values and of their squares, of each group; channel c is of group c % groups. One value after the other. */
export function groupStatistics(rows: Float32Array, groups: number): Float32Array {
  const statistics = new Float32Array(2 * groups);
  const share = f32(1 / (rows.length / groups));
  for (const [i, value] of rows.entries()) {
    const group = i % groups;
    statistics[group] = f32(statistics[group]! + f32(share * value));
    statistics[groups + group] = f32(statistics[groups + group]! + f32(share * f32(value * value)));
  }
  return statistics;
}

/** Factors and offsets of a group norm, with a correctly rounded inverse square root. */
export function normFactors(
  statistics: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  epsilon: number,
): { factors: Float32Array; offsets: Float32Array } {
  const groups = statistics.length / 2;
  const factors = new Float32Array(gamma.length);
  const offsets = new Float32Array(gamma.length);
  for (let c = 0; c < gamma.length; c++) {
    const mean = statistics[c % groups]!;
    const variance = f32(statistics[groups + (c % groups)]! - f32(mean * mean));
    const stabilized = Math.max(f32(variance + f32(epsilon)), f32(epsilon));
    factors[c] = f32(f32(1 / Math.sqrt(stabilized)) * gamma[c]!);
    offsets[c] = f32(beta[c]! - f32(mean * factors[c]!));
  }
  return { factors, offsets };
}

/** ONNX's QuantizeLinear to u8: x / scale, rounded to even, + zeroPoint, clamped. */
export function quantizeLinear(value: number, scale: number, zeroPoint: number): number {
  return Math.min(255, Math.max(0, roundToEven(f32(value / scale)) + zeroPoint));
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** A 3x3 max pool with stride 2 of rows [height * width, channels]; what is outside has the value `border`. */
export function maxPool(
  rows: Float32Array,
  height: number,
  width: number,
  channels: number,
  { top, left, border, poolHeight, poolWidth }: ScalarPool,
): Float32Array {
  const output = new Float32Array(poolHeight * poolWidth * channels);
  for (let at = 0; at < output.length; at++) {
    const c = at % channels;
    const x = Math.floor(at / channels) % poolWidth;
    const y = Math.floor(at / channels / poolWidth);
    let largest = Number.NEGATIVE_INFINITY;
    for (let tap = 0; tap < 9; tap++) {
      const row = 2 * y - top + Math.floor(tap / 3);
      const column = 2 * x - left + (tap % 3);
      const isInside = row >= 0 && row < height && column >= 0 && column < width;
      largest = Math.max(largest, isInside ? rows[(row * width + column) * channels + c]! : f32(border));
    }
    output[at] = largest;
  }
  return output;
}

/** The stem's pool: lines and columns before the map, the value around it, the output's size. */
export interface ScalarPool {
  readonly top: number;
  readonly left: number;
  readonly border: number;
  readonly poolHeight: number;
  readonly poolWidth: number;
}
