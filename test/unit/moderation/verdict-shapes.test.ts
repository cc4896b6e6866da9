import { describe, expect, it } from 'vitest';
import { type Decision, toOpenAi, toRekognition } from '../../../worker/moderation/verdict-shapes.ts';

const decision: Decision = {
  id: 'dec_1',
  decided_at: '2026-01-02T03:04:05.000Z',
  verdict: 'block',
  reason: 'weapons',
  categories: [
    {
      name: 'weapons',
      score: 0.75,
      threshold: 0.5,
      action: 'block',
      labels: [
        { label: 'cannon', score: 0.5 },
        { label: 'projectile, missile', score: 0.25 },
      ],
    },
    {
      name: 'alcohol',
      score: 0.125,
      threshold: 0.5,
      action: 'allow',
      labels: [{ label: 'beer bottle', score: 0.125 }],
    },
  ],
  policy: { name: 'default', version: '1' },
  model: { name: 'bit-tiny-200', version: '1.0.0' },
  image_sha256: 'a'.repeat(64),
};

describe('AWS Rekognition', () => {
  it('reports what is not allowed as two levels of labels, in percent', () => {
    expect(toRekognition(decision, null)).toEqual({
      ModerationLabels: [
        { Confidence: 75, Name: 'weapons', ParentName: '', TaxonomyLevel: 1 },
        { Confidence: 50, Name: 'cannon', ParentName: 'weapons', TaxonomyLevel: 2 },
        { Confidence: 25, Name: 'projectile, missile', ParentName: 'weapons', TaxonomyLevel: 2 },
      ],
      ModerationModelVersion: 'bit-tiny-200@1.0.0+default@1',
      ContentTypes: [],
    });
  });

  it('reports by confidence where one is asked for', () => {
    const names = (minConfidence: number) =>
      toRekognition(decision, minConfidence).ModerationLabels.map(({ Name }) => Name);
    expect(names(50)).toEqual(['weapons', 'cannon']);
    expect(names(10)).toEqual(['weapons', 'cannon', 'projectile, missile', 'alcohol', 'beer bottle']);
    expect(names(76)).toEqual([]);
  });
});

describe('OpenAI', () => {
  it('flags, with a boolean and a score per category', () => {
    expect(toOpenAi(decision)).toEqual({
      id: 'modr-dec_1',
      model: 'bit-tiny-200@1.0.0+default@1',
      results: [
        {
          flagged: true,
          categories: { weapons: true, alcohol: false },
          category_scores: { weapons: 0.75, alcohol: 0.125 },
          category_applied_input_types: { weapons: ['image'], alcohol: ['image'] },
        },
      ],
    });
  });

  it('does not flag what is allowed', () => {
    const allowed = { ...decision, verdict: 'allow' as const, categories: [decision.categories[1]!] };
    expect(toOpenAi(allowed).results[0]!.flagged).toBe(false);
  });
});
