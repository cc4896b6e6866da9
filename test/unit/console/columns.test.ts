import { expect, it } from 'vitest';
import {
  batchesOf,
  type Column,
  type Labelled,
  labelledOf,
  labelOfPath,
  reasonAgainst,
  type TeachPicture,
} from '../../../console/src/pages/teach/columns.ts';

const picture = (id: number, changes: Partial<TeachPicture> = {}): TeachPicture => ({
  id,
  name: `${id}.png`,
  blob: new Blob([new Uint8Array(100)]),
  url: '',
  isChecked: true,
  problem: null,
  ...changes,
});
const column = (id: number, label: string, pictures: readonly TeachPicture[]): Column => ({ id, label, pictures });
const labelled = (label: string, bytes = 100): Labelled => ({ label, blob: new Blob([new Uint8Array(bytes)]) });
const labelsOf = (batch: readonly Labelled[]): string => batch.map(({ label }) => label).join('');

it('takes the classes in turn, and leaves out pictures that cannot be read', () => {
  const columns = [
    column(1, 'a ', [picture(1), picture(2, { problem: 'truncated_image' }), picture(3)]),
    column(2, 'b', [picture(4)]),
  ];
  expect(labelsOf(labelledOf(columns))).toBe('aba');
});

it('splits at 16 pictures and at 10 MB', () => {
  const sizes = (examples: readonly Labelled[]) => batchesOf(examples, 1).map(({ length }) => length);
  expect(sizes(Array.from({ length: 33 }, () => labelled('a')))).toEqual([16, 16, 1]);
  expect(sizes([labelled('a', 6e6), labelled('a', 4e6), labelled('a', 1)])).toEqual([2, 1]);
  expect(sizes([])).toEqual([]);
});

it('puts two classes into the first request of a new head, however large their pictures are', () => {
  const batches = batchesOf([labelled('a', 9e6), labelled('b', 9e6), labelled('a', 9e6)], 2);
  expect(batches.map(labelsOf)).toEqual(['ab', 'a']);
});

it('says what is missing: two named classes of different names, all looked at', () => {
  const [one, two] = [[picture(1)], [picture(2)]];
  expect(reasonAgainst([column(1, 'a', one), column(2, 'b', two)], 2)).toBeNull();
  expect(reasonAgainst([column(1, 'a', one), column(2, 'b', [])], 2)).toMatch(/Two classes/);
  expect(reasonAgainst([column(1, 'a', one), column(2, 'b', [])], 1)).toBeNull();
  expect(reasonAgainst([column(1, 'a', one), column(2, ' ', two)], 2)).toMatch(/no name/);
  expect(reasonAgainst([column(1, 'a', one), column(2, 'a ', two)], 2)).toMatch(/“a” is the name of two/);
  const unchecked = [column(1, 'a', one), column(2, 'b', [picture(2, { isChecked: false })])];
  expect(reasonAgainst(unchecked, 2)).toMatch(/Looking/);
});

it('names a class by the folder that a file is in', () => {
  expect(labelOfPath('chosen/lemon/1.jpg')).toBe('lemon');
  expect(labelOfPath('1.jpg')).toBe('');
});
