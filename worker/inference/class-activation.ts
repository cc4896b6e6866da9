/**
 * Class activation maps: what each place of the last feature map adds to a label's logit. Exact for BiT, whose classifier is linear in
 * the mean of that map: logit = bias + mean of the map. Zhou et al., "Learning Deep Features for Discriminative Localization", 2016,
 * section 2. Pure.
 */
import type { ClassifierRow, PooledQuantization } from '../../model-store/onnx/classifier-weights.ts';
import { ModelError } from '../errors.ts';
import type { Float32Tensor } from './float32-output.ts';

/** A map, `[height, width]` row by row, in units of the logit. */
export interface ActivationMap {
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
}

/** Difference of a logit and what its map says of it, relative to the size of both: rounding in float32 stays below. */
const TOLERANCE = 1e-3;

/**
 * The map of a label.
 *
 * An int8 graph rounds the pooled features. That is put into the map as well, channel by channel, in proportion: each channel's
 * places add up to what the graph multiplied.
 * @param hidden `last_hidden_state`, `[1, C, H, W]`, after the last norm and activation.
 * @param pooled `pooler_output`, `[1, C, 1, 1]`: the very numbers that the classifier was given.
 * @throws ModelError `model_failed` if shapes do not match; `model_corrupt` if the map does not explain the logit.
 */
export function classActivationMap(
  hidden: Float32Tensor,
  pooled: Float32Tensor,
  row: ClassifierRow,
  logit: number,
): ActivationMap {
  const [, channels = 0, height = 0, width = 0] = hidden.shape;
  const positions = height * width;
  const fits = pooled.data.length === channels && row.weights.length === channels;
  if (!fits || positions === 0) {
    throw new ModelError(
      'model_failed',
      `last_hidden_state is [${hidden.shape}]; the classifier has ${row.weights.length} channels`,
    );
  }
  const sums = new Float64Array(positions);
  for (let channel = 0; channel < channels; channel++) {
    const at = channel * positions;
    let sum = 0;
    for (let position = 0; position < positions; position++) sum += hidden.data[at + position]!;
    if (sum === 0) continue;
    const given = pooled.data[channel]!;
    const multiplied = row.quantization === null ? given : quantize(given, row.quantization);
    const factor = (row.weights[channel]! * multiplied * positions) / sum;
    for (let position = 0; position < positions; position++) sums[position]! += factor * hidden.data[at + position]!;
  }
  const mean = sums.reduce((sum, value) => sum + value, 0) / positions;
  const largest = sums.reduce((most, value) => Math.max(most, Math.abs(value)), Math.abs(logit));
  if (!(Math.abs(mean + row.bias - logit) <= TOLERANCE * Math.max(1, largest))) {
    throw new ModelError('model_corrupt', `the map's mean and bias make ${mean + row.bias}; the logit is ${logit}`);
  }
  return { height, width, values: Float32Array.from(sums) };
}

/** As `QuantizeLinear` and back: round half to even, then clamp. */
function quantize(value: number, { scale, zeroPoint }: PooledQuantization): number {
  const scaled = Math.fround(Math.fround(value) / scale);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return (Math.min(255, Math.max(0, rounded + zeroPoint)) - zeroPoint) * scale;
}
