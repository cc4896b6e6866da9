import { describe, expect, it } from 'vitest';
import { activate, topK } from '../../../worker/inference/scores.ts';

describe('activate', () => {
  const logits = new Float32Array([1, 2, 3]);

  it('softmax: e^x over the sum, as the definition gives it', () => {
    const sum = Math.exp(1) + Math.exp(2) + Math.exp(3);
    const scores = activate(logits, 'softmax');
    for (let i = 0; i < 3; i++) expect(scores[i]).toBeCloseTo(Math.exp(i + 1) / sum, 12);
  });

  it('softmax of huge logits does not overflow', () => {
    expect(Array.from(activate(new Float32Array([1e4, 1e4]), 'softmax'))).toEqual([0.5, 0.5]);
  });

  it('sigmoid scores every label for itself', () => {
    expect(activate(new Float32Array([0]), 'sigmoid')[0]).toBe(0.5);
    expect(activate(logits, 'sigmoid')[2]).toBeCloseTo(1 / (1 + Math.exp(-3)), 12);
  });

  it('none gives the logits', () => {
    expect(Array.from(activate(logits, 'none'))).toEqual([1, 2, 3]);
  });
});

describe('topK', () => {
  const labels = ['a', 'b', 'c', 'd'];

  it('gives the best first, equal scores by index, with label and index', () => {
    expect(topK(Float64Array.of(0.1, 0.4, 0.4, 0.1), labels, 3)).toEqual([
      { label: 'b', score: 0.4, index: 1 },
      { label: 'c', score: 0.4, index: 2 },
      { label: 'a', score: 0.1, index: 0 },
    ]);
  });

  it('gives all there are when more are asked for', () => {
    expect(topK(Float64Array.of(1, 2), labels, 50)).toHaveLength(2);
  });
});
