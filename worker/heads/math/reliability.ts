/** How far held-out probabilities can be believed. Guo et al., "On Calibration of Modern Neural Networks", 2017. Pure. */
import type { Targets } from './targets.ts';

const BINS = 10;

/** Of held-out examples, after the temperature. */
export interface Calibration {
  readonly temperature: number;
  /** Expected calibration error over `bins`. */
  readonly ece: number;
  /** Mean -log of the probability of what is true. */
  readonly log_loss: number;
  /** By the probability of the best label (of every label, where there may be several); empty bins are left out. */
  readonly bins: readonly {
    readonly from: number;
    readonly to: number;
    readonly count: number;
    readonly confidence: number;
    readonly accuracy: number;
  }[];
}

/** The calibration of held-out scores, and each example's loss. Null where there are none. */
export function calibrationOf(
  scores: Float64Array,
  { count, classes, membership, multiLabel }: Targets,
  temperature: number,
): { calibration: Calibration | null; losses: Float64Array } {
  const losses = new Float64Array(count);
  const sums = Array.from({ length: BINS }, () => ({ count: 0, confidence: 0, hits: 0 }));
  let used = 0;
  let loss = 0;
  const put = (confidence: number, hit: number): void => {
    const bin = sums[Math.min(BINS - 1, Math.floor(confidence * BINS))]!;
    bin.count++;
    bin.confidence += confidence;
    bin.hits += hit;
  };
  for (let i = 0; i < count; i++) {
    const at = i * classes;
    if (Number.isNaN(scores[at])) continue;
    used++;
    if (multiLabel) {
      for (let k = 0; k < classes; k++) {
        const score = scores[at + k]! / temperature;
        const y = membership[at + k]!;
        losses[i]! += Math.max(score, 0) - y * score + Math.log1p(Math.exp(-Math.abs(score)));
        put(1 / (1 + Math.exp(-score)), y);
      }
    } else {
      let best = 0;
      for (let k = 1; k < classes; k++) if (scores[at + k]! > scores[at + best]!) best = k;
      let total = 0;
      for (let k = 0; k < classes; k++) total += Math.exp((scores[at + k]! - scores[at + best]!) / temperature);
      for (let k = 0; k < classes; k++) {
        if (membership[at + k] === 1)
          losses[i] = Math.log(total) - (scores[at + k]! - scores[at + best]!) / temperature;
      }
      put(1 / total, membership[at + best]!);
    }
    loss += losses[i]!;
  }
  if (used === 0) return { calibration: null, losses };
  const entries = sums.reduce((sum, bin) => sum + bin.count, 0);
  let ece = 0;
  const bins = sums.flatMap((bin, index) => {
    if (bin.count === 0) return [];
    const confidence = bin.confidence / bin.count;
    const accuracy = bin.hits / bin.count;
    ece += (bin.count / entries) * Math.abs(confidence - accuracy);
    return [
      {
        from: index / BINS,
        to: (index + 1) / BINS,
        count: bin.count,
        confidence: round(confidence),
        accuracy: round(accuracy),
      },
    ];
  });
  return {
    calibration: { temperature: round(temperature), ece: round(ece), log_loss: round(loss / used), bins },
    losses,
  };
}

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
