/** What a network gives is looked at before it is an answer. */
import { describe, expect, it } from 'vitest';
import { checkAnswer } from '../../../worker/inference/check-answer.ts';
import type { Tensor } from '../../../worker/inference/inference-session.ts';

const model = { manifest: { name: 'm', version: '1' }, labels: ['a', 'b', 'c'] };

function answer(name: string, values: readonly number[]): ReadonlyMap<string, Tensor> {
  return new Map([[name, { type: 'float32', shape: [1, values.length], data: Float32Array.from(values) }]]);
}

describe('checkAnswer', () => {
  it.each([
    ['fewer logits than labels', answer('logits', [1, 2])],
    ['more logits than labels', answer('logits', [1, 2, 3, 4])],
    ['a logit that is not a number', answer('logits', [1, Number.NaN, 3])],
    ['an infinite logit', answer('logits', [1, Number.NEGATIVE_INFINITY, 3])],
    ['infinities that cancel each other out', answer('pooler_output', [Number.POSITIVE_INFINITY, -1 / 0])],
  ])('refuses %s', (_, outputs) => {
    expect(() => checkAnswer(model, outputs)).toThrow(expect.objectContaining({ code: 'model_failed' }));
  });

  it.each([
    ['one finite logit per label, however large', answer('logits', [3.4e38, 3.4e38, -3.4e38])],
    ['an embedding of any length', answer('pooler_output', [0, 1, 2, 3, 4])],
  ])('accepts %s', (_, outputs) => {
    expect(() => checkAnswer(model, outputs)).not.toThrow();
  });
});
