/** Limited-memory BFGS for smooth convex functions. Nocedal and Wright, "Numerical Optimization", algorithms 7.4 and 3.5. Pure. */

/** Pairs of steps and gradient changes that are kept. */
const MEMORY = 10;

/** Sufficient decrease, and how often a step is halved. */
const ARMIJO = 1e-4;
const MAX_HALVINGS = 40;

/** How the search ends. */
export interface LbfgsOptions {
  readonly maxIterations: number;
  /** Largest entry of the gradient at which the point counts as the minimum. */
  readonly gradientTolerance: number;
}

/**
 * Minimises a function.
 * @param evaluate writes the gradient at `x` and gives the value.
 * @param start is overwritten with the minimum.
 */
export function minimize(
  evaluate: (x: Float64Array, gradient: Float64Array) => number,
  start: Float64Array,
  { maxIterations, gradientTolerance }: LbfgsOptions,
): Float64Array {
  const size = start.length;
  let x = start;
  let gradient = new Float64Array(size);
  let value = evaluate(x, gradient);
  const history: { readonly step: Float64Array; readonly change: Float64Array; readonly inverse: number }[] = [];
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    if (largest(gradient) <= gradientTolerance) break;
    const direction = gradient.map((entry) => -entry);
    const alphas: number[] = [];
    for (const { step, change, inverse } of history.toReversed()) {
      const alpha = inverse * dot(step, direction);
      alphas.push(alpha);
      addScaled(direction, change, -alpha);
    }
    const last = history.at(-1);
    if (last !== undefined) {
      const scale = 1 / (last.inverse * dot(last.change, last.change));
      for (let i = 0; i < size; i++) direction[i]! *= scale;
    }
    for (const [index, { step, change, inverse }] of history.entries()) {
      const beta = inverse * dot(change, direction);
      addScaled(direction, step, alphas[history.length - 1 - index]! - beta);
    }
    const slope = dot(direction, gradient);
    if (!(slope < 0)) break;
    let length = last === undefined ? Math.min(1, 1 / largest(gradient)) : 1;
    let next = x;
    let nextGradient = gradient;
    let nextValue = Number.POSITIVE_INFINITY;
    for (let halving = 0; halving < MAX_HALVINGS; halving++) {
      next = x.slice();
      addScaled(next, direction, length);
      nextGradient = new Float64Array(size);
      nextValue = evaluate(next, nextGradient);
      if (nextValue <= value + ARMIJO * length * slope) break;
      length /= 2;
    }
    // Nothing is gained any more in float64.
    if (!(nextValue < value)) break;
    const step = next.map((entry, i) => entry - x[i]!);
    const change = nextGradient.map((entry, i) => entry - gradient[i]!);
    const curvature = dot(step, change);
    if (curvature > 0) {
      history.push({ step, change, inverse: 1 / curvature });
      if (history.length > MEMORY) history.shift();
    }
    x = next;
    gradient = nextGradient;
    value = nextValue;
  }
  return x;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(target: Float64Array, values: Float64Array, scale: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += scale * values[i]!;
}

function largest(values: Float64Array): number {
  let max = 0;
  for (const value of values) max = Math.max(max, Math.abs(value));
  return max;
}
