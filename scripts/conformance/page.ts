/** docs/conformance.md, from the areas, the differences and the counts of a run. Pure. */
import { markdownTable } from '../cli/report/markdown-table.ts';
import type { Area } from './areas.ts';
import type { Difference } from './differences.ts';

/** What a run of an area came to. */
export interface AreaCounts {
  readonly agree: number;
  /** Comparisons that are another answer on purpose, by the id of their difference. */
  readonly deliberate: Readonly<Record<string, number>>;
  /** Names of comparisons that differ for no stated reason. */
  readonly differ: readonly string[];
}

/** How many comparisons of an area are another answer on purpose. */
export function deliberateCount({ deliberate }: AreaCounts): number {
  return Object.values(deliberate).reduce((sum, count) => sum + count, 0);
}

/** A row of the page's first table. */
function areaRow({ name, what, reference }: Area, area: AreaCounts): string[] {
  const { agree, differ } = area;
  const onPurpose = deliberateCount(area);
  const counts = [agree + onPurpose + differ.length, agree, onPurpose, differ.length];
  return [name, what, reference, ...counts.map(String)];
}

/** The page. */
export function conformancePage(
  areas: readonly Area[],
  differences: readonly Difference[],
  counts: ReadonlyMap<string, AreaCounts>,
): string {
  const none: AreaCounts = { agree: 0, deliberate: {}, differ: [] };
  return `# Conformance

What is held against a reference, which one, and how much of it agrees. \`npm run conformance\` runs the comparisons and writes
this page; \`-- --json\` prints the counts. Counted are the tests that hold an area against its reference: expected values come from
it, by a script in \`scripts/goldens/\` or by the package itself, never from our own output; some check limits on the way. Corpora
that are not ours to publish come on top of it (\`test/conformance/corpora.test.ts\`).

${markdownTable(
  ['area', 'what', 'reference', 'tried', 'agree', 'deliberate', 'differ'],
  areas.map((area) => areaRow(area, counts.get(area.name) ?? none)),
)}

## Deliberate differences

The one list. Whatever else differs is a defect.

${markdownTable(
  ['name', 'area', 'the reference', 'here', 'why'],
  differences.map(({ id, area, reference, ours, why }) => [`\`${id}\``, area, reference, ours, why]),
)}
`;
}
