/** Labels with their scores as bars. */
import { formatChange, formatPercent, splitLabel } from '../format.ts';

export interface Bar {
  readonly label: string;
  readonly score: number;
  /** Against the other version; null where there is none, or it does not name this label. */
  readonly change?: number | null;
}

/** The scores of a list. @param unit False for scores that are no share of one: logits. */
export function Bars({ bars, unit = true }: { readonly bars: readonly Bar[]; readonly unit?: boolean }) {
  const top = Math.max(...bars.map(({ score }) => Math.abs(score)), unit ? 1 : 1e-9);
  return (
    <ol class="bars">
      {bars.map(({ label, score, change }, index) => {
        const { first, rest } = splitLabel(label);
        return (
          <li key={label} class={index === 0 ? 'best' : undefined}>
            <span class="bar-label" title={label}>
              {first}
              {rest !== '' && <small> {rest}</small>}
            </span>
            <span class="bar-score">
              {unit ? formatPercent(score) : score.toFixed(2)}
              {change !== undefined && change !== null && <small> {formatChange(change)}</small>}
            </span>
            <span class="bar-track" aria-hidden="true">
              <span class="bar-fill" style={{ inlineSize: `${(Math.max(0, score) / top) * 100}%` }} />
            </span>
          </li>
        );
      })}
    </ol>
  );
}
