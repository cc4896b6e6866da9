/** docs/conformance.md says what scripts/conformance says; the counts are those of the last `npm run conformance`. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AREAS } from '../../scripts/conformance/areas.ts';
import { DIFFERENCES } from '../../scripts/conformance/differences.ts';
import { type AreaCounts, conformancePage } from '../../scripts/conformance/page.ts';
import { EDGE_CASES } from '../support/edge-cases.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(ROOT, 'docs/conformance.md'), 'utf8');

/** Numbers of a page, which only a run can tell. */
function withoutCounts(text: string): string {
  return text.replaceAll(/( +\| \d+){4} +\|$/gm, ' | counts |');
}

describe('docs/conformance.md', () => {
  it('has every area and every difference as they are now', () => {
    expect(withoutCounts(page)).toBe(withoutCounts(conformancePage(AREAS, DIFFERENCES, new Map())));
  });

  it.each(AREAS)('counts comparisons of $name, and none that differs for no reason', ({ name }) => {
    const [, tried, agree, deliberate, differ] = new RegExp(
      `^\\| ${name} +\\|.* \\| (\\d+) +\\| (\\d+) +\\| (\\d+) +\\| (\\d+) +\\|$`,
      'm',
    )
      .exec(page)!
      .map(Number) as [number, number, number, number, number];
    expect(differ).toBe(0);
    expect(tried).toBe(agree + deliberate);
    expect(agree).toBeGreaterThan(0);
  });
});

it('every area has its tests, every difference an area of its own name', () => {
  for (const { tests } of AREAS) for (const test of tests) expect(existsSync(join(ROOT, test)), test).toBe(true);
  const areas = AREAS.map(({ name }) => name);
  for (const { id, area } of DIFFERENCES) expect(areas, id).toContain(area);
  expect(new Set(DIFFERENCES.map(({ id }) => id)).size).toBe(DIFFERENCES.length);
});

it('every difference in test data is in the list', () => {
  const ids = DIFFERENCES.map(({ id }) => id);
  const used = EDGE_CASES.flatMap(({ difference }) => difference ?? []);
  expect(used.length).toBeGreaterThan(0);
  for (const difference of used) expect(ids).toContain(difference);
});

it('a comparison that fails is counted as one that differs', () => {
  const counts: AreaCounts = { agree: 2, deliberate: { 'png-gray-16': 1 }, differ: ['x'] };
  const written = conformancePage(AREAS.slice(0, 1), [], new Map([[AREAS[0]!.name, counts]]));
  expect(written).toMatch(/ \| 4 +\| 2 +\| 1 +\| 1 +\|$/m);
});
