import { describe, expect, it } from 'vitest';
import { checkJsonShape, type JsonLimits, JsonShape } from '../../worker/json-shape.ts';

const ROOMY: JsonLimits = { maxDepth: 64, maxValues: 100_000 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** Scalars, arrays, objects and names of a parsed value. */
function countValues(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + countValues(each), 1);
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, each) => sum + 1 + countValues(each), 1);
}

/** The smallest limit of values that lets a text through. */
function limitOf(text: string, chunkLength: number): number {
  for (let maxValues = 1; ; maxValues++) {
    const shape = new JsonShape({ maxDepth: 64, maxValues });
    try {
      for (let at = 0; at < text.length; at += chunkLength) shape.push(bytes(text.slice(at, at + chunkLength)));
      return maxValues;
    } catch {
      if (maxValues > 500) throw new Error('no limit lets it through');
    }
  }
}

/** A generator of whole numbers below `limit`, the same for the same seed. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function randomValue(random: (limit: number) => number, depth: number): unknown {
  const strings = ['', 'a', '"', '\\', '\\"', '[{,:}]', 'x\\\\"]'];
  switch (random(depth > 3 ? 4 : 6)) {
    case 0:
      return random(1000) - 500 + random(10) / 8;
    case 1:
      return strings[random(strings.length)];
    case 2:
      return [true, false, null][random(3)];
    case 3:
      return -1e-7 * random(9);
    case 4:
      return Array.from({ length: random(4) }, () => randomValue(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random(4) }, (_, i) => [
          `${strings[random(strings.length)]}${i}`,
          randomValue(random, depth + 1),
        ]),
      );
  }
}

describe('JsonShape', () => {
  it('counts what JSON.parse makes, however the text is cut and spaced', () => {
    const random = generator(7);
    for (let round = 0; round < 60; round++) {
      const value = randomValue(random, 0);
      const expected = countValues(value);
      for (const text of [JSON.stringify(value), JSON.stringify(value, null, '\t')]) {
        for (const chunkLength of [1, 3, text.length]) expect(limitOf(text, chunkLength), text).toBe(expected);
      }
    }
  });

  it.each([
    ['depth', nested(64), nested(65), 'invalid_body', { max_depth: 64 }],
    ['values', `[${'1,'.repeat(99_998)}1]`, `[${'1,'.repeat(99_999)}1]`, 'body_too_large', { limit_values: 100_000 }],
    ['name bytes', `{"${'n'.repeat(256)}":1}`, `{"${'n'.repeat(257)}":1}`, 'invalid_body', {}],
  ])('lets the limit of %s through, and refuses one more', (_, most, more, code, details) => {
    expect(() => checkJsonShape(bytes(most), ROOMY)).not.toThrow();
    expect(() => checkJsonShape(bytes(more), ROOMY)).toThrow(expect.objectContaining({ code, details }));
  });

  describe('of a bulk member', () => {
    const limits: JsonLimits = { maxDepth: 8, maxValues: 9, bulk: { member: 'data', maxValues: 6, maxContainers: 2 } };
    const check = (text: string) => () => checkJsonShape(bytes(text), limits);

    it('counts its values apart, and its arrays and objects once more', () => {
      expect(check('{"data":[1,2,3,4,5],"a":[1,2,3]}')).not.toThrow();
      expect(check('{"data":[1,2,3,4,5,6]}')).toThrow('over 6 values in "data"');
      expect(check('{"data":[[],[]]}')).toThrow('over 2 arrays and objects in "data"');
      expect(check('{"data":[],"a":[1,2,3,4,5,6]}')).toThrow('over 9 values');
    });

    it('counts the members of that name together, wherever they are', () => {
      expect(check('[{"data":[1,2]},{"data":[1,2]}]')).not.toThrow();
      expect(check('[{"data":[1,2,3]},{"data":[1,2]}]')).toThrow('over 6 values in "data"');
    });

    it('ends with its value: what comes after it in the same or an outer object counts as usual', () => {
      expect(check('{"data":1,"a":[1,2,3,4,5,6]}')).toThrow('over 9 values');
      expect(check('[{"data":[1]},[1,2,3,4,5,6,7]]')).toThrow('over 9 values');
    });

    it('is known by its whole name as it is written: a part of it, more, escapes or a value do not count', () => {
      for (const name of ['dat', 'datas', 'da\\u0074a', 'Data']) {
        expect(check(`{"${name}":[1,2,3,4,5,6,7]}`)).toThrow('over 9 values');
      }
      expect(check('["data",[1,2,3,4,5,6,7]]')).toThrow('over 9 values');
    });
  });
});
