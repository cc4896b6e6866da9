/** Accuracy by the number of examples per class: whether more pictures would help. */
import type { HeadReport } from '../../../../client/index.ts';
import { formatPercent } from '../../format.ts';

const WIDTH = 320;
const HEIGHT = 130;
const LEFT = 44;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 24;

/** The curve; a sentence if there are too few examples for one. */
export function LearningCurve({ report: { learning_curve: curve } }: { readonly report: HeadReport }) {
  if (curve === null) return null;
  const { points } = curve;
  if (points.length < 2) {
    return (
      <figure class="learning-curve">
        <figcaption class="quiet">Three pictures in every class make a learning curve.</figcaption>
      </figure>
    );
  }
  const last = points.at(-1)!.examples_per_class;
  // Logarithmic: 1, 2, 5 and 10 are about equally far apart.
  const x = (examples: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(examples)) / Math.log(last);
  const y = (accuracy: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - accuracy);
  const words = points.map(({ examples_per_class: n, accuracy }) => `${n}: ${formatPercent(accuracy)}`).join(', ');
  return (
    <figure class="learning-curve">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Accuracy by examples per class. ${words}`}>
        {[0, 0.5, 1].map((level) => (
          <g key={level}>
            <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(level)} y2={y(level)} />
            <text x={LEFT - 6} y={y(level) + 4} text-anchor="end">
              {`${level * 100} %`}
            </text>
          </g>
        ))}
        <polyline points={points.map((each) => `${x(each.examples_per_class)},${y(each.accuracy)}`).join(' ')} />
        {points.map(({ examples_per_class: n, accuracy }) => (
          <g key={n}>
            <circle cx={x(n)} cy={y(accuracy)} r="3.5" />
            <text x={x(n)} y={HEIGHT - 6} text-anchor="middle">
              {n}
            </text>
          </g>
        ))}
      </svg>
      <figcaption class="quiet">Accuracy by examples per class, on examples that were not drawn</figcaption>
    </figure>
  );
}
