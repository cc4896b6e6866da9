import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ModerationError } from '../../../worker/errors.ts';
import defaultPolicy from '../../../worker/moderation/policies/default.json' with { type: 'json' };
import { editDistance, nearestNames } from '../../../worker/moderation/policy/edit-distance.ts';
import { compilePolicy, type Evaluation } from '../../../worker/moderation/policy/evaluate.ts';
import { moreSevere, type Policy } from '../../../worker/moderation/policy/schema.ts';
import { checkPolicy, parsePolicy } from '../../../worker/moderation/policy/validate.ts';

const LABELS = ['rifle', 'revolver', 'beer bottle', 'teddy, teddy bear', 'bikini, two-piece'];
const VOCABULARY = { labels: LABELS, embeddingLength: 2 };

const base = {
  schema_version: 1,
  name: 'shop',
  version: '1',
  model: { name: 'bit-tiny-200' },
  categories: [{ name: 'weapons', labels: ['rifle'], thresholds: { review: 0.3, block: 0.7 } }],
};

const float32 = (...values: number[]) => Buffer.from(new Float32Array(values).buffer).toString('base64');

function problems(changes: Record<string, unknown>): string[] {
  return checkPolicy({ ...base, ...changes }, VOCABULARY).problems.map(({ path, message }) => `${path}: ${message}`);
}

function evaluate(
  changes: Record<string, unknown>,
  scores: number[],
  embedding: number[] | null = null,
  sha256 = '0'.repeat(64),
): Evaluation {
  const { policy, problems } = checkPolicy({ ...base, ...changes }, VOCABULARY);
  if (policy === null) throw new Error(JSON.stringify(problems));
  return compilePolicy(policy, LABELS).evaluate({
    scores: new Float32Array(scores),
    embedding: embedding === null ? null : new Float32Array(embedding),
    sha256,
  });
}

describe('checks at publish', () => {
  it('passes a policy and fills in its defaults', () => {
    const { policy } = checkPolicy(base, VOCABULARY);
    expect(policy).toMatchObject({
      on_error: 'review',
      model: { name: 'bit-tiny-200', reference: 'latest' },
      allow_list: { allowances: [], sha256: [] },
    });
  });

  it('refuses softmax over one label, which is 1 for every image', () => {
    const one = { labels: ['nsfw'], embeddingLength: 2 };
    const policy = {
      ...base,
      label_groups: {},
      allow_list: {},
      categories: [{ name: 'nsfw', labels: ['nsfw'], thresholds: { block: 0.9 } }],
    };
    expect(checkPolicy({ ...policy, activation: 'softmax' }, one).problems).toEqual([
      { path: 'activation', message: expect.stringContaining('softmax over the only label is 1 for every image') },
    ]);
    expect(checkPolicy({ ...policy, activation: 'sigmoid' }, one).problems).toEqual([]);
    expect(checkPolicy(policy, one).problems).toEqual([]);
  });

  it('suggests the nearest labels for one that is unknown', () => {
    const category = (labels: string[]) => ({ categories: [{ ...base.categories[0], labels }] });
    expect(problems(category(['riffle']))).toEqual([
      'categories[0].labels[0]: unknown label "riffle"; did you mean "rifle"?',
    ]);
    expect(problems(category(['rifle', 'teddy bear']))).toEqual([
      'categories[0].labels[1]: unknown label "teddy bear"; did you mean "teddy, teddy bear"?',
    ]);
    expect(problems(category(['Revolver', 'xylophone']))).toEqual([
      'categories[0].labels[0]: unknown label "Revolver"; did you mean "revolver"?',
      'categories[0].labels[1]: unknown label "xylophone"',
    ]);
  });

  it.each([
    [{ review: 0 }, 'categories[0].thresholds.review: must be above 0'],
    [{ block: 1.01 }, 'categories[0].thresholds.block: must be at most 1'],
    [{ block: -0.1 }, 'categories[0].thresholds.block: must be above 0'],
    [{}, 'categories[0].thresholds: names neither review nor block'],
    [{ review: 0.5, block: 0.5 }, 'categories[0].thresholds: review must be below block'],
    [{ review: 0.6, block: 0.5 }, 'categories[0].thresholds: review must be below block'],
  ])('refuses the thresholds %j', (thresholds, expected) => {
    expect(problems({ categories: [{ ...base.categories[0], thresholds }] })).toEqual([expected]);
  });

  it('refuses a category that nothing feeds, and one without thresholds', () => {
    expect(problems({ categories: [{ name: 'empty', thresholds: { review: 0.5 } }] })).toEqual([
      'categories[0]: nothing feeds category "empty": no labels, groups or prototypes',
    ]);
    expect(problems({ categories: [{ name: 'weapons', labels: ['rifle'] }] })).toEqual([
      'categories[0]: category "weapons" has no thresholds, and defaults has none either',
    ]);
  });

  it('reports everything that is wrong at once', () => {
    const wrong = {
      label_groups: { guns: ['rifle', 'pistol'], unused: ['revolver'] },
      categories: [
        { name: 'a', labels: ['rifle', 'rifle'], groups: ['gun'], thresholds: { review: 0.5 } },
        { name: 'a', labels: ['rifle'], groups: ['guns'], thresholds: { review: 0.5 } },
        { name: 'b', prototypes: [{ name: 'logo', vector: float32(1, 2, 3) }], thresholds: { review: 0.5 } },
      ],
      allow_list: { allowances: [{ threshold: 0.5, categories: ['c'] }] },
    };
    expect(problems(wrong)).toEqual([
      'label_groups.guns[1]: unknown label "pistol"',
      'label_groups.unused: no category and no allowance uses this group',
      'categories[0].labels[1]: label "rifle" stands twice',
      'categories[0].groups[0]: unknown group "gun"; did you mean "guns"?',
      'categories[1].name: there is a category "a" already',
      'categories[1]: label "rifle" feeds this category twice',
      "categories[2].prototypes[0]: vector has 12 bytes; the model's embedding has 2 float32 = 8 bytes",
      'allow_list.allowances[0]: names no labels and no groups',
      'allow_list.allowances[0].categories[0]: unknown category "c"; did you mean "a" or "b"?',
    ]);
  });

  it.each([
    [null, /^policy: /],
    [{ ...base, name: 'Shop' }, /^name: 1 to 64/],
    [{ ...base, surprise: 1 }, /surprise/],
    [{ ...base, schema_version: 2 }, /^schema_version/],
    [{ ...base, on_error: 'ignore' }, /^on_error/],
    [{ ...base, effects: { block: [{ type: 'quarantine', prefix: 'no-slash' }] } }, /^effects.block\[0\].prefix/],
    [{ ...base, effects: { block: [{ type: 'delete' }] } }, /^effects.block\[0\]/],
    [{ ...base, categories: [] }, /^categories/],
  ])('refuses the shape of %j', (value, expected) => {
    const { problems: found } = checkPolicy(value, VOCABULARY);
    expect(found.map(({ path, message }) => `${path}: ${message}`).join('\n')).toMatch(expected);
    expect(() => parsePolicy(value)).toThrow(ModerationError);
  });

  it('passes the default policy on the labels of the default model', async () => {
    const path = new URL('../../../model-store/models/bit-tiny-200/config.json', import.meta.url);
    const { id2label } = JSON.parse(await readFile(path, 'utf8')) as { id2label: Record<string, string> };
    const vocabulary = { labels: Object.values(id2label), embeddingLength: 1024 };
    expect(vocabulary.labels).toHaveLength(200);
    expect(checkPolicy(defaultPolicy, vocabulary).problems).toEqual([]);
  });
});

describe('verdict', () => {
  it.each([
    [0.299, 'allow', 0.3],
    [0.3, 'review', 0.3],
    [0.699, 'review', 0.3],
    [0.7, 'block', 0.7],
  ])('of a score of %d is %s', (score, action, threshold) => {
    // Thresholds are compared in float64, scores come in float32: 0.3 and 0.7 are nudged up to be reached.
    const reached = Math.fround(score) < score ? score + 1e-7 : score;
    const result = evaluate({}, [reached, 0, 0, 0, 0]);
    expect(result).toMatchObject({ verdict: action, reason: action === 'allow' ? null : 'weapons' });
    expect(result.categories[0]).toMatchObject({ name: 'weapons', threshold, action });
  });

  it('combines by the strongest or by the sum, which ends at 1', () => {
    const category = (combine: string) => ({
      categories: [{ name: 'weapons', labels: ['rifle', 'revolver'], combine, thresholds: { review: 0.5 } }],
    });
    expect(evaluate(category('max'), [0.25, 0.375, 0, 0, 0])).toMatchObject({
      verdict: 'allow',
      categories: [{ score: 0.375 }],
    });
    expect(evaluate(category('sum'), [0.25, 0.375, 0, 0, 0])).toMatchObject({
      verdict: 'review',
      categories: [{ score: 0.625 }],
    });
    expect(evaluate({ ...category('sum'), activation: 'sigmoid' }, [1, 1, 0, 0, 0]).categories[0]!.score).toBe(1);
  });

  it('names the labels that fed a category, strongest first, five at most', () => {
    const labels = ['rifle', 'revolver', 'beer bottle', 'teddy, teddy bear', 'bikini, two-piece'];
    const result = evaluate(
      { categories: [{ name: 'all', labels, thresholds: { review: 0.9 } }] },
      [0.1, 0.4, 0.2, 0, 0.3],
    );
    expect(result.categories[0]!.labels).toEqual([
      { label: 'revolver', score: 0.4 },
      { label: 'bikini, two-piece', score: 0.3 },
      { label: 'beer bottle', score: 0.2 },
      { label: 'rifle', score: 0.1 },
      { label: 'teddy, teddy bear', score: 0 },
    ]);
  });

  it('takes the most severe action, and as reason the first category that has it', () => {
    const categories = [
      { name: 'alcohol', labels: ['beer bottle'], thresholds: { review: 0.1 } },
      { name: 'weapons', labels: ['rifle'], thresholds: { block: 0.1 } },
      { name: 'more-weapons', labels: ['revolver'], thresholds: { block: 0.1 } },
    ];
    expect(evaluate({ categories }, [0.2, 0.2, 0.2, 0, 0])).toMatchObject({ verdict: 'block', reason: 'weapons' });
    expect(evaluate({ categories }, [0, 0, 0.2, 0, 0])).toMatchObject({ verdict: 'review', reason: 'alcohol' });
    expect(evaluate({ categories }, [0, 0, 0, 0, 1])).toMatchObject({ verdict: 'allow', reason: null });
    expect(moreSevere('review', 'allow')).toBe('review');
    expect(moreSevere('review', 'block')).toBe('block');
  });

  it('takes thresholds and rule from the defaults where a category has none', () => {
    const changes = {
      defaults: { combine: 'sum', thresholds: { block: 0.5 } },
      label_groups: { guns: ['rifle', 'revolver'] },
      categories: [{ name: 'weapons', groups: ['guns'] }],
    };
    expect(evaluate(changes, [0.25, 0.25, 0, 0, 0])).toMatchObject({
      verdict: 'block',
      categories: [{ threshold: 0.5 }],
    });
  });

  it('lets the allow list speak for an image, in the categories it names', () => {
    const changes = {
      categories: [
        { name: 'weapons', labels: ['rifle'], thresholds: { block: 0.5 } },
        { name: 'alcohol', labels: ['beer bottle'], thresholds: { review: 0.25 } },
      ],
      allow_list: {
        allowances: [{ labels: ['teddy, teddy bear'], threshold: 0.25, categories: ['weapons'] }],
        sha256: ['a'.repeat(64)],
      },
    };
    expect(evaluate(changes, [0.5, 0, 0.25, 0.25, 0])).toMatchObject({
      verdict: 'review',
      reason: 'alcohol',
      categories: [{ action: 'allow', score: 0.5, overridden_by: 'teddy, teddy bear' }, { action: 'review' }],
    });
    expect(evaluate(changes, [0.5, 0, 0, 0.24, 0])).toMatchObject({ verdict: 'block' });
    expect(evaluate(changes, [0.5, 0, 0.25, 0, 0], null, 'a'.repeat(64))).toMatchObject({ verdict: 'allow' });
  });

  it('scores an image by its direction in embedding space', () => {
    const changes = {
      categories: [
        {
          name: 'logo',
          prototypes: [
            { name: 'ours', vector: float32(3, 4) },
            { name: 'theirs', vector: float32(-1, 0) },
          ],
          thresholds: { block: 0.99 },
        },
      ],
    };
    expect(evaluate(changes, [0, 0, 0, 0, 0], [6, 8])).toMatchObject({
      verdict: 'block',
      categories: [
        {
          score: 1,
          labels: [
            { label: 'ours', score: 1 },
            { label: 'theirs', score: 0 },
          ],
        },
      ],
    });
    expect(evaluate(changes, [0, 0, 0, 0, 0], [1, 0]).categories[0]!.score).toBe(0.6);
    expect(evaluate(changes, [0, 0, 0, 0, 0], [0, 0])).toMatchObject({ verdict: 'allow', categories: [{ score: 0 }] });
  });

  it('fails loudly when the model in use lacks a label', () => {
    const policy = checkPolicy(base, VOCABULARY).policy as Policy;
    expect(() => compilePolicy(policy, ['cat', 'dog'])).toThrow(/label "rifle", which the model in use does not have/);
  });
});

describe('suggestions', () => {
  it.each([
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['ab', 'ba', 2],
  ])('distance of %j and %j is %i', (a, b, distance) => {
    expect(editDistance(a, b, 10)).toBe(distance);
    expect(editDistance(b, a, 10)).toBe(distance);
  });

  it('stops counting above the limit', () => {
    expect(editDistance('kitten', 'sitting', 2)).toBe(3);
    expect(editDistance('a', 'abcdefgh', 2)).toBe(3);
  });

  it('finds synonyms, and words in common', () => {
    expect(nearestNames('bikni', LABELS)).toEqual(['bikini, two-piece']);
    expect(nearestNames('wine bottle', LABELS)).toContain('beer bottle');
    expect(nearestNames('aeroplane', LABELS)).toEqual([]);
  });
});
