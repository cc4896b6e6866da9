/**
 * Weights as 8 bits: one scale for each output channel, zero at 128. Pure arithmetic.
 */

/** The quantized zero: onnxruntime-web's fast integer kernels want unsigned weights. */
export const WEIGHT_ZERO_POINT = 128;

/** Quantized weights: real = (data - 128) * scales[output channel]. */
export interface QuantizedWeights {
  /** The same layout as the float weights, output channels first. */
  readonly data: Uint8Array;
  readonly scales: Float32Array;
  /** Root of the importance-weighted squared error over the root of the weighted square. */
  readonly relativeError: number;
}

/** Shares of the largest magnitude that the search tries as the end of the 8-bit grid. */
const SEARCH_FROM = 0.55;
const SEARCH_STEPS = 15;

/** Added and subtracted, it rounds a float64 below 2^51 to the nearest integer, ties to even; much faster than Math.round. */
const ROUNDING = 1.5 * 2 ** 52;

/** Statistics of a layer's input, for each input channel. */
export interface InputStatistics {
  readonly mean: readonly number[];
  /** Mean square. */
  readonly power: readonly number[];
}

/**
 * Quantizes weights to the scales of least squared error, where each weight counts as much as its input's power: the
 * error of the layer's output, for inputs that are not correlated. Then the weights that lie nearest to the middle
 * between two steps are rounded the other way until the errors of a kernel, times their inputs' means, sum to zero:
 * behind a ReLU all inputs are positive, so that errors which do not cancel shift the whole channel (bias correction,
 * as in Nagel et al., arXiv:1906.04721, without a bias).
 * @param weights output channels first, then input channels.
 * @param outChannels number of output channels.
 */
export function quantizeWeights(weights: Float32Array, outChannels: number, input: InputStatistics): QuantizedWeights {
  const fanIn = weights.length / outChannels;
  const importance = spreadImportance(input.power, fanIn);
  const means = spread(input.mean, fanIn);
  const data = new Uint8Array(weights.length);
  const scales = new Float32Array(outChannels);
  const order = new Uint32Array(fanIn);
  let error = 0;
  let power = 0;
  for (let channel = 0; channel < outChannels; channel++) {
    const row = weights.subarray(channel * fanIn, (channel + 1) * fanIn);
    const scale = chooseScale(row, importance);
    const steps = new Float64Array(fanIn);
    for (let i = 0; i < fanIn; i++) steps[i] = quantizeOne(row[i]! / scale);
    cancelMeanError(row, scale, means, importance, steps, order);
    scales[channel] = scale;
    for (let i = 0; i < fanIn; i++) {
      data[channel * fanIn + i] = steps[i]! + WEIGHT_ZERO_POINT;
      error += importance[i]! * (steps[i]! * scale - row[i]!) ** 2;
      power += importance[i]! * row[i]! * row[i]!;
    }
  }
  return { data, scales, relativeError: power === 0 ? 0 : Math.sqrt(error / power) };
}

function chooseScale(row: Float32Array, importance: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < row.length; i++) largest = Math.max(largest, Math.abs(row[i]!));
  if (largest === 0) return 1;
  let bestScale = 1;
  let bestError = Number.POSITIVE_INFINITY;
  for (let step = 0; step <= SEARCH_STEPS; step++) {
    const share = SEARCH_FROM + ((1 - SEARCH_FROM) * step) / SEARCH_STEPS;
    const scale = Math.fround((largest * share) / 127);
    const error = squaredError(row, importance, scale, bestError);
    if (error < bestError) {
      bestError = error;
      bestScale = scale;
    }
  }
  return bestScale;
}

/** Moves single weights by one step, the cheapest first, until the mean of the output is as the float weights'. */
function cancelMeanError(
  row: Float32Array,
  scale: number,
  means: Float64Array,
  importance: Float64Array,
  steps: Float64Array,
  order: Uint32Array,
): void {
  let meanError = 0;
  for (let i = 0; i < row.length; i++) meanError += (steps[i]! * scale - row[i]!) * means[i]!;
  const direction = (i: number): number => (meanError * means[i]! > 0 ? -1 : 1);
  // What a move costs in squared error, for each unit of mean that it cancels.
  const cost = new Float64Array(row.length);
  let candidates = 0;
  for (let i = 0; i < row.length; i++) {
    const delta = steps[i]! - row[i]! / scale;
    const move = direction(i);
    const moved = steps[i]! + move;
    // Only from one neighbour of the weight to the other, never away from it.
    if (means[i] === 0 || delta * move >= 0 || moved > 127 || moved < -128) continue;
    cost[i] = (importance[i]! * (1 - 2 * Math.abs(delta))) / Math.abs(means[i]!);
    order[candidates++] = i;
  }
  const sorted = order.subarray(0, candidates).sort((a, b) => cost[a]! - cost[b]! || a - b);
  for (const i of sorted) {
    const change = direction(i) * scale * means[i]!;
    if (Math.abs(meanError + change) >= Math.abs(meanError)) continue;
    steps[i]! += direction(i);
    meanError += change;
    if (Math.abs(meanError) < scale * Math.abs(means[i]!) * 0.5) break;
  }
}

/** One value for each weight of a kernel, from one for each input channel. */
function spread(channels: readonly number[], fanIn: number): Float64Array {
  const taps = fanIn / channels.length;
  return Float64Array.from({ length: fanIn }, (_, i) => channels[Math.floor(i / taps)]!);
}

/** Each weight's importance: its input channel's power, never quite zero. */
function spreadImportance(power: readonly number[], fanIn: number): Float64Array {
  const mean = power.reduce((sum, value) => sum + value, 0) / power.length;
  const floor = mean > 0 ? mean * 1e-5 : 1;
  return spread(power, fanIn).map((value) => value + floor);
}

/** Stops early, above `limit`. */
function squaredError(row: Float32Array, importance: Float64Array, scale: number, limit: number): number {
  const inverse = 1 / scale;
  let error = 0;
  for (let i = 0; i < row.length && error < limit; i++) {
    const delta = quantizeOne(row[i]! * inverse) * scale - row[i]!;
    error += importance[i]! * delta * delta;
  }
  return error;
}

function quantizeOne(value: number): number {
  const rounded = value + ROUNDING - ROUNDING;
  return Math.max(-128, Math.min(127, rounded));
}
