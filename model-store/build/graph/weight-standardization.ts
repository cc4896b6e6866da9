/**
 * Weight standardization, done once instead of at every run. Pure arithmetic.
 * Paper: Qiao et al., "Micro-Batch Training with Batch-Channel Normalization and Weight Standardization", arXiv:1903.10520.
 */
import type { WeightTensor } from '../checkpoint/checkpoint.ts';

/** Added to each kernel's variance (`eps` of HF's `WeightStandardizedConv2d` in every BiT layer). */
const EPSILON = 1e-8;

/**
 * Gives the kernel of every output channel mean 0 and variance 1 (the biased variance, as batch norm's).
 * Sums run in float64, the result is float32.
 * @param kernel OIHW.
 */
export function standardizeKernel({ shape, data }: WeightTensor): WeightTensor {
  const outChannels = shape[0]!;
  const fanIn = data.length / outChannels;
  const out = new Float32Array(data.length);
  for (let channel = 0; channel < outChannels; channel++) {
    const start = channel * fanIn;
    let sum = 0;
    for (let i = 0; i < fanIn; i++) sum += data[start + i]!;
    const mean = sum / fanIn;
    let squares = 0;
    for (let i = 0; i < fanIn; i++) squares += (data[start + i]! - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / fanIn + EPSILON);
    for (let i = 0; i < fanIn; i++) out[start + i] = (data[start + i]! - mean) * scale;
  }
  return { shape, data: out };
}
