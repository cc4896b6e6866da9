import { describe, expect, it } from 'vitest';
import { parseLabelsFile, truthOf } from '../../../../scripts/cli/import/labels-file.ts';

describe('parseLabelsFile', () => {
  it.each([
    ['a JSON array', '["cat", "dog"]'],
    ['id2label', '{"1": "dog", "0": "cat"}'],
    ['a name a line', 'cat\ndog\n'],
    ['a name a line, from Windows', 'cat\r\ndog\r\n'],
    ['labels and more', '{"what": "x", "labels": ["cat", "dog"]}'],
  ])('reads names from %s', (_, text) => {
    expect(parseLabelsFile(text, 'f').names).toEqual(['cat', 'dog']);
  });

  it('reads answers, alone or beside names', () => {
    expect(parseLabelsFile('{"a.jpg": 1}', 'f')).toEqual({ names: null, truth: new Map([['a.jpg', 1]]) });
    const both = parseLabelsFile('{"labels": ["cat"], "files": {"v/a.jpg": 0}}', 'f');
    expect(both).toEqual({ names: ['cat'], truth: new Map([['v/a.jpg', 0]]) });
  });

  it.each([
    ['{"a": "b"}', 'neither names'],
    ['[1, 2]', 'neither names'],
    ['{"0": "a", "2": "b"}', 'none for 1'],
    ['["a"', 'f: '],
    ['cat\n\ndog', 'line 2 is empty'],
    ['', 'line 1 is empty'],
  ])('refuses %j', (text, message) => {
    expect(() => parseLabelsFile(text, 'f')).toThrowError(message);
  });
});

it('finds an answer by path, by path from the parent, or by file name', () => {
  const truth = new Map([
    ['validation/a.jpg', 1],
    ['x/b.jpg', 2],
    ['c.jpg', 3],
  ]);
  expect(truthOf(truth, 'validation', 'a.jpg')).toBe(1);
  expect(truthOf(truth, 'validation', 'x/b.jpg')).toBe(2);
  expect(truthOf(truth, 'validation', 'deep/down/c.jpg')).toBe(3);
  expect(truthOf(truth, 'validation', 'd.jpg')).toBeNull();
});
