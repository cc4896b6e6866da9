import { describe, expect, it } from 'vitest';
import { type TrialImage, tryPolicy } from '../../../console/src/pages/moderate/trial.ts';
import { parsePolicy } from '../../../worker/moderation/policy/validate.ts';

const policy = parsePolicy({
  schema_version: 1,
  name: 'p',
  version: '1',
  model: { name: 'm' },
  heads: [{ name: 'drinks' }, { name: 'arms' }],
  categories: [
    { name: 'alcohol', labels: ['bottle'], head_labels: { drinks: ['wine'] }, thresholds: { block: 0.5 } },
    { name: 'weapons', head_labels: { arms: ['gun', 'knife'] }, combine: 'sum', thresholds: { block: 0.5 } },
  ],
});

function image(heads: Record<string, Record<string, number>>): TrialImage {
  const headScores = new Map(Object.entries(heads).map(([head, scores]) => [head, new Map(Object.entries(scores))]));
  return { name: 'a.png', expected: null, scores: new Float32Array([0.1]), headScores, embedding: null, sha256: '' };
}

describe('a policy with heads on the page Moderate', () => {
  it('takes each score from the head and label that it names', () => {
    const images = [
      image({ drinks: { water: 0.9, wine: 0.1 }, arms: { gun: 0.4, knife: 0.3 } }),
      image({ drinks: { wine: 0.8 }, arms: { knife: 0.2 } }),
    ];
    const { evaluations } = tryPolicy(policy, ['bottle'], images);
    expect(evaluations.map(({ reason }) => reason)).toEqual(['weapons', 'alcohol']);
    expect(evaluations[0]!.categories.map(({ score }) => score)).toEqual([0.1, 0.7]);
  });
});
