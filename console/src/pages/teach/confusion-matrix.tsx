/** What was predicted for what, each example left out in turn. */
import type { HeadReport } from '../../../../client/index.ts';
import { ScrollFrame } from '../../components/scroll-frame.tsx';
import { formatCount } from '../../format.ts';

/** Classes that a readable table has at most; with more, the mistakes are listed. */
const MAX_CLASSES = 25;
const MAX_LISTED = 20;

/** The table: true classes as rows, predictions as columns. */
export function ConfusionMatrix({ report: { classes, confusion } }: { readonly report: HeadReport }) {
  if (confusion === null || confusion.length === 0) return null;
  const labels = classes.map(({ label }) => label);
  if (labels.length > MAX_CLASSES) return <Mistakes confusion={confusion} />;
  const counts = new Map(confusion.map(({ label, predicted, count }) => [cellKey(label, predicted), count]));
  const rowTotals = new Map(labels.map((label) => [label, 0]));
  for (const { label, count } of confusion) rowTotals.set(label, (rowTotals.get(label) ?? 0) + count);
  return (
    <ScrollFrame label="Confusion matrix">
      <table class="confusion">
        <caption>Is, and was said to be</caption>
        <thead>
          <tr>
            <td />
            {labels.map((label) => (
              <th key={label} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {labels.map((label) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              {labels.map((predicted) => {
                const count = counts.get(cellKey(label, predicted)) ?? 0;
                const share = count / Math.max(1, rowTotals.get(label) ?? 0);
                return (
                  <td key={predicted} class={`number cell ${label === predicted ? 'right' : 'wrong'}`}>
                    <span class="cell-fill" aria-hidden="true" style={{ opacity: share }} />
                    <span>{count === 0 ? '·' : formatCount(count)}</span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollFrame>
  );
}

function Mistakes({ confusion }: { readonly confusion: NonNullable<HeadReport['confusion']> }) {
  const mistakes = confusion.filter(({ label, predicted }) => label !== predicted).sort((a, b) => b.count - a.count);
  return (
    <section aria-label="Most frequent mistakes">
      <h3>Most frequent mistakes</h3>
      <ul>
        {mistakes.slice(0, MAX_LISTED).map(({ label, predicted, count }) => (
          <li key={cellKey(label, predicted)}>
            {label} taken for {predicted} <span class="quiet">{formatCount(count)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function cellKey(label: string, predicted: string): string {
  return JSON.stringify([label, predicted]);
}
