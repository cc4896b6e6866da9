/**
 * One temperature that turns scores into probabilities: the minimum of the held-out log loss over `scores / temperature`. Guo et
 * al., "On Calibration of Modern Neural Networks", 2017. Targets are smoothed as in Platt's "Probabilistic Outputs for Support
 * Vector Machines", 1999, so that a perfect estimate does not ask for certainty. Pure.
 */
import type { Targets } from './targets.ts';

/** Newton steps in 1 / temperature at most. */
const MAX_STEPS = 50;

/** How far 1 / temperature may go from that of scores with deviation 1. */
const MAX_SHARPNESS = 1000;

/**
 * The temperature of held-out scores, `[count, classes]`; rows of NaN do not count.
 * @returns 1 where there is nothing to go by.
 */
export function fitTemperature(scores: Float64Array, targets: Targets): number {
  const { count, classes, membership, multiLabel } = targets;
  let used = 0;
  let squares = 0;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(scores[i * classes])) continue;
    used++;
    for (let k = 0; k < classes; k++) {
      sum += scores[i * classes + k]!;
      squares += scores[i * classes + k]! ** 2;
    }
  }
  const entries = used * classes;
  const deviation = used === 0 ? 0 : Math.sqrt(Math.max(0, squares / entries - (sum / entries) ** 2));
  if (!(deviation > 0)) return 1;
  const smoothing = 1 / (used + 2);
  const slopes = multiLabel ? binarySlopes : multinomialSlopes;
  let low = 0;
  let high = MAX_SHARPNESS / deviation;
  let beta = 1 / deviation;
  for (let step = 0; step < MAX_STEPS; step++) {
    let slope = 0;
    let curvature = 0;
    for (let i = 0; i < count; i++) {
      if (Number.isNaN(scores[i * classes])) continue;
      const [first, second] = slopes(scores, membership, i * classes, classes, beta, smoothing);
      slope += first;
      curvature += second;
    }
    // The loss is convex: its slope says on which side the minimum is.
    if (slope > 0) high = beta;
    else low = beta;
    const newton = beta - slope / curvature;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    const moved = Math.abs(next - beta);
    beta = next;
    if (moved <= 1e-12 * beta) break;
  }
  return 1 / beta;
}

function multinomialSlopes(
  scores: Float64Array,
  membership: Uint8Array,
  at: number,
  classes: number,
  beta: number,
  smoothing: number,
): [number, number] {
  let max = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < classes; k++) max = Math.max(max, scores[at + k]!);
  let total = 0;
  let mean = 0;
  let square = 0;
  let target = 0;
  for (let k = 0; k < classes; k++) {
    const score = scores[at + k]!;
    const p = Math.exp(beta * (score - max));
    total += p;
    mean += p * score;
    square += p * score * score;
    target += (membership[at + k] === 1 ? 1 - smoothing : smoothing / Math.max(1, classes - 1)) * score;
  }
  mean /= total;
  return [mean - target, Math.max(0, square / total - mean * mean)];
}

function binarySlopes(
  scores: Float64Array,
  membership: Uint8Array,
  at: number,
  classes: number,
  beta: number,
  smoothing: number,
): [number, number] {
  let slope = 0;
  let curvature = 0;
  for (let k = 0; k < classes; k++) {
    const score = scores[at + k]!;
    const p = 1 / (1 + Math.exp(-beta * score));
    slope += (p - (membership[at + k] === 1 ? 1 - smoothing : smoothing)) * score;
    curvature += p * (1 - p) * score * score;
  }
  return [slope, curvature];
}
