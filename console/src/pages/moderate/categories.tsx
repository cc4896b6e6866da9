/** The categories of a policy: their thresholds as sliders, and how well they find their images. */
import type { CategoryMetrics, CurvePoint } from '../../../../scripts/cli/policy/metrics.ts';
import type { Policy } from '../../../../worker/moderation/policy/schema.ts';
import { formatPercent } from '../../format.ts';
import { STEP, withThreshold } from './trial.ts';

interface CategoriesProps {
  readonly policy: Policy;
  readonly metrics: readonly CategoryMetrics[];
  onChange(policy: Policy): void;
}

/** One card a category. */
export function Categories({ policy, metrics, onChange }: CategoriesProps) {
  return (
    <div class="categories">
      {policy.categories.map((category, index) => {
        const { name, description } = category;
        const thresholds = category.thresholds ?? policy.defaults.thresholds ?? {};
        const { positives, falsePositives, precision, recall, curve } = metrics[index]!;
        return (
          <section key={name} class="panel" aria-label={name}>
            <header>
              <h2>{name}</h2>
              {description !== undefined && <p class="quiet">{description}</p>}
            </header>
            {(['review', 'block'] as const).map((action) => {
              const value = thresholds[action];
              if (value === undefined) return null;
              return (
                <label key={action} class="slider">
                  <span>
                    {action} from <strong>{formatPercent(value)}</strong>
                  </span>
                  <input
                    type="range"
                    min={STEP}
                    max={1}
                    step={STEP}
                    value={value}
                    aria-label={`${name}: ${action} from`}
                    onInput={(event) =>
                      onChange(withThreshold(policy, name, action, Number(event.currentTarget.value)))
                    }
                  />
                </label>
              );
            })}
            <dl class="measures">
              <div>
                <dt>Precision</dt>
                <dd>{precision === null ? 'none caught' : formatPercent(precision)}</dd>
              </div>
              <div>
                <dt>Recall</dt>
                <dd>{recall === null ? 'no image' : formatPercent(recall)}</dd>
              </div>
              <div>
                <dt>Images</dt>
                <dd>{positives}</dd>
              </div>
              <div>
                <dt>False alarms</dt>
                <dd>{falsePositives}</dd>
              </div>
            </dl>
            {curve.length > 0 && <Curve curve={curve} at={thresholds.review ?? thresholds.block ?? 1} name={name} />}
          </section>
        );
      })}
    </div>
  );
}

const WIDTH = 300;
const HEIGHT = 70;

/** Precision and recall over the threshold, and where it is now. */
function Curve({
  curve,
  at,
  name,
}: {
  readonly curve: readonly CurvePoint[];
  readonly at: number;
  readonly name: string;
}) {
  // Between two scores a threshold catches what the higher of them does: steps, no slopes.
  const line = (value: (point: CurvePoint) => number): string =>
    curve
      .map((point, index) => {
        const y = (1 - value(point)) * (HEIGHT - 4) + 2;
        const next = curve[index + 1]?.threshold ?? 0;
        return `${point.threshold * WIDTH},${y} ${next * WIDTH},${y}`;
      })
      .join(' ');
  return (
    <figure class="plot curve">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${name}: precision and recall over the threshold`}
      >
        <polyline class="curve-recall" points={line(({ recall }) => recall)} />
        <polyline class="curve-precision" points={line(({ precision }) => precision ?? 0)} />
        <line x1={at * WIDTH} x2={at * WIDTH} y1="0" y2={HEIGHT} />
      </svg>
      <figcaption>
        <span class="curve-precision-key">precision</span> <span class="curve-recall-key">recall</span>
      </figcaption>
    </figure>
  );
}
