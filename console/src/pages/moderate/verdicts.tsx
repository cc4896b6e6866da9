/** How many images end how, and which do not end as their folder says. */
import { StateBadge } from '../../components/state-badge.tsx';
import { formatCount, formatPercent } from '../../format.ts';
import type { TrialImage, TrialResult } from './trial.ts';

const ACTIONS = ['allow', 'review', 'block'] as const;
const SHOWN = 50;

interface VerdictsProps {
  readonly images: readonly TrialImage[];
  readonly result: TrialResult;
}

/** The counts as one bar, and the images. */
export function Verdicts({ images, result: { counts, evaluations } }: VerdictsProps) {
  const total = Math.max(1, images.length);
  return (
    <section class="panel" aria-label="Verdicts">
      <h2>Verdicts</h2>
      <div class="progress-bar" aria-hidden="true">
        {ACTIONS.map((action) => (
          <span key={action} class={`verdict-${action}`} style={{ inlineSize: `${(counts[action] / total) * 100}%` }} />
        ))}
      </div>
      <ul class="row verdict-counts">
        {ACTIONS.map((action) => (
          <li key={action}>
            <StateBadge state={action} /> <strong>{formatCount(counts[action])}</strong>{' '}
            <span class="quiet">{formatPercent(counts[action] / total)}</span>
          </li>
        ))}
      </ul>
      {images.length > 0 && (
        <details>
          <summary>Images</summary>
          <ul class="list answered">
            {images.slice(0, SHOWN).map(({ name, expected }, index) => {
              const { verdict, reason } = evaluations[index]!;
              return (
                <li key={`${index} ${name}`}>
                  <StateBadge state={verdict} />
                  <span>{name}</span>
                  <span class="quiet list-end">
                    {reason === null ? '' : `because of ${reason}; `}
                    {expected === null ? 'belongs to none' : `belongs to ${expected}`}
                  </span>
                </li>
              );
            })}
          </ul>
        </details>
      )}
    </section>
  );
}
