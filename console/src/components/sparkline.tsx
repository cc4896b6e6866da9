/** A line of values over time. */

const WIDTH = 200;
const HEIGHT = 40;

interface SparklineProps {
  readonly values: readonly number[];
  /** What the top of the picture stands for; default the largest value. */
  readonly top?: number;
  readonly label: string;
}

/** The line, and the area below it; of constant height, also while there is nothing to draw. */
export function Sparkline({ values, top, label }: SparklineProps) {
  const most = Math.max(top ?? 0, ...values, 1e-9);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map((value, index) => `${index * step},${HEIGHT - (value / most) * (HEIGHT - 2) - 1}`);
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {points.length > 1 && (
        <>
          <polygon points={`0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`} />
          <polyline points={points.join(' ')} />
        </>
      )}
    </svg>
  );
}
