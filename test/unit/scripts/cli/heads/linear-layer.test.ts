/** Linear layers of scikit-learn and torch as heads: what their own libraries answer (scripts/goldens/linear_layers.py). */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { float32Tensor, readSafetensors } from '../../../../../model-store/safetensors.ts';
import { headOfLinearLayer } from '../../../../../scripts/cli/heads/linear-layer.ts';
import { FEATURE_KINDS } from '../../../../../worker/heads/math/features.ts';
import { applyHead } from '../../../../../worker/heads/math/head-model.ts';
import { activate } from '../../../../../worker/inference/scores.ts';

const FOLDER = new URL('../../../../fixtures/heads/layers/', import.meta.url);
const { rows, cases } = z
  .object({
    rows: z.array(z.array(z.number())),
    cases: z.array(
      z.object({
        file: z.string(),
        classes: z.int(),
        features: z.enum(FEATURE_KINDS),
        probabilities: z.array(z.array(z.number())),
      }),
    ),
  })
  .parse(JSON.parse(await readFile(new URL('layers.json', FOLDER), 'utf8')));

const names = (count: number): string[] => Array.from({ length: count }, (_, k) => `class ${k}`);

it.each(cases)('$file has the probabilities of its library', async ({ file, classes, features, probabilities }) => {
  const { tensors } = readSafetensors(new Uint8Array(await readFile(new URL(file, FOLDER))), file);
  const head = headOfLinearLayer(tensors, file, names(classes), features, false);
  for (const [i, row] of rows.entries()) {
    const scores = activate(applyHead(head, Float32Array.from(row)), 'softmax');
    for (const [k, expected] of probabilities[i]!.entries()) expect(scores[k]).toBeCloseTo(expected, 6);
  }
});

describe('a layer is refused', () => {
  const layer = (weight: number[], bias: number) =>
    new Map([
      ['weight', float32Tensor(weight, new Float32Array(weight.reduce((a, b) => a * b)))],
      ['bias', float32Tensor([bias], new Float32Array(bias))],
    ]);
  const withNan = layer([2, 4], 2).set('bias', float32Tensor([2], Float32Array.of(0, Number.NaN)));

  it.each([
    ['without a weight', new Map(), 2, 'no tensor weight or coef_'],
    ['of another number of classes', layer([3, 4], 3), 2, 'weight [3,4] and bias [3] for 2 classes'],
    ['whose bias is of another number', layer([2, 4], 3), 2, 'bias [3]'],
    ['of three dimensions', layer([2, 4, 1], 2), 2, 'weight [2,4,1]'],
    ['with a value that is no number', withNan, 2, 'not finite'],
  ] as const)('%s', (_, tensors, classes, message) => {
    expect(() => headOfLinearLayer(tensors, 'f', names(classes), 'l2', false)).toThrow(
      expect.objectContaining({ code: 'invalid_checkpoint', message: expect.stringContaining(message) }),
    );
  });

  it('with a class twice, or without a name', () => {
    for (const classes of [
      ['a', 'a'],
      ['a', ' '],
    ]) {
      expect(() => headOfLinearLayer(layer([2, 4], 2), 'f', classes, 'l2', false)).toThrow('--classes');
    }
  });
});
