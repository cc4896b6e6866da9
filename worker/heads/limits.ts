/** Limits of heads, each checked before anything is stored. Pure. */
import { HeadError } from '../errors.ts';
import type { Method } from './math/train.ts';

const MIB = 1024 * 1024;

export const HEAD_LIMITS = {
  classes: 1000,
  examples: 5000,
  examplesPerClass: 1000,
  /** UTF-8 bytes of a label. */
  labelBytes: 256,
  /** Values of an embedding. */
  dimensions: 8192,
  /** Float32 of every embedding of a head: what training holds at once. */
  embeddingBytes: 32 * MIB,
  /** Labels of one example of a head with several labels a picture. */
  labelsPerExample: 64,
  /** Multiplications of a training, by the estimate below: what stays under the platform's CPU time. */
  multiplications: 30e9,
  /** Bytes that a training holds, by the estimate below. */
  trainingBytes: 80 * MIB,
  /** Versions that are kept; the oldest that no alias names go first. */
  versions: 100,
} as const;

/** What limits are about. */
export type HeadLimit = keyof typeof HEAD_LIMITS;

/** @throws HeadError `head_limit_exceeded` where `value` is over the limit. */
export function checkHeadLimit(limit: HeadLimit, value: number, what: string): void {
  const most = HEAD_LIMITS[limit];
  if (value <= most) return;
  throw new HeadError('head_limit_exceeded', `${what}: ${value}; limit ${most}`, {
    details: { limit_name: limit, value, limit: most },
  });
}

/** Multiplications that a training takes, roughly: the Gram matrix, its factorisation, and the estimate of every example. */
export function trainingCost(method: Method, examples: number, dimensions: number, classes: number): number {
  if (method === 'nearest_mean') return 3 * examples * dimensions * classes;
  const size = Math.min(examples, dimensions);
  const gram = (size * size * Math.max(examples, dimensions)) / 2;
  if (method === 'logistic') return gram + 3000 * examples * size * classes;
  return gram + 2 * size ** 3 + examples * size * size + 8 * examples * size * classes;
}

/**
 * Bytes that a training holds at once: embeddings as stored and as features, the kernels' memory (ridge-dual.ts, ridge-primal.ts say
 * what they reserve), scores and weights.
 */
export function trainingBytes(method: Method, examples: number, dimensions: number, classes: number): number {
  const shared = 8 * examples * dimensions + 25 * examples * classes + 20 * classes * dimensions;
  const panels = 1024 * (examples + dimensions + classes);
  if (method === 'nearest_mean') return shared + panels + 8 * classes * dimensions;
  if (examples <= dimensions) return shared + panels + 16 * examples ** 2 + 16 * examples * classes;
  return shared + panels + 8 * dimensions ** 2 + 8 * 12 * classes * dimensions;
}
