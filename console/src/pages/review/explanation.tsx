/** Why a policy decided as it did: the categories, what they scored and what from. */
import type { Decision } from '../../../../client/index.ts';
import { StateBadge } from '../../components/state-badge.tsx';
import { formatPercent, splitLabel } from '../../format.ts';

const SHOWN_ALLOWED = 2;

/** Categories with an action first, then the strongest that allow. */
export function Explanation({ decision }: { readonly decision: Decision }) {
  const { categories, error } = decision;
  const acting = categories.filter(({ action }) => action !== 'allow');
  const allowed = categories
    .filter(({ action }) => action === 'allow')
    .sort((a, b) => b.score / b.threshold - a.score / a.threshold)
    .slice(0, SHOWN_ALLOWED);
  return (
    <div class="explanation">
      {error !== undefined && (
        <p>
          It could not be judged: <code>{error.code}</code> {error.message}
        </p>
      )}
      <ul>
        {[...acting, ...allowed].map(({ name, score, threshold, action, labels, overridden_by: overriddenBy }) => (
          <li key={name}>
            <p class="row">
              <strong>{name}</strong>
              <StateBadge state={action} />
              <span class="quiet">
                {formatPercent(score)}, threshold {formatPercent(threshold)}
              </span>
            </p>
            <div class="meter" aria-hidden="true">
              <span class="meter-fill" style={{ inlineSize: `${Math.min(1, score) * 100}%` }} />
              <span class="meter-mark" style={{ insetInlineStart: `${threshold * 100}%` }} />
            </div>
            <p class="quiet">
              {labels.map(({ label, score: part }) => `${splitLabel(label).first} ${formatPercent(part)}`).join(', ')}
              {overriddenBy !== undefined && `; allowed because of ${overriddenBy}`}
            </p>
          </li>
        ))}
      </ul>
    </div>
  );
}
