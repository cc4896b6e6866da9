/** Reads Prometheus' text exposition format 0.0.4 as the worker writes it, and figures from it. Pure. */

/** One sample. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

/** The samples of a text; lines that are none (comments) are passed over. */
export function parseExposition(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    if (match === null) return [];
    const [, name = '', labels = '', value = ''] = match;
    const pairs = [...labels.matchAll(LABEL)].map(([, label = '', raw = '']) => [
      label,
      raw.replaceAll(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped),
    ]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
}

/** The sum of a family's samples that `keep` lets through. */
export function sumOf(
  samples: readonly Sample[],
  name: string,
  keep: (sample: Sample) => boolean = () => true,
): number {
  return samples.filter((sample) => sample.name === name && keep(sample)).reduce((sum, { value }) => sum + value, 0);
}

/** The value of a gauge; null where there is none of that name. */
export function gaugeOf(samples: readonly Sample[], name: string): number | null {
  return samples.find((sample) => sample.name === name)?.value ?? null;
}

/**
 * A quantile of a histogram, in its unit: linear within the bucket, as Prometheus' `histogram_quantile`.
 * @returns null where it has seen nothing; the last bound where the quantile is beyond it.
 */
export function quantileOf(
  samples: readonly Sample[],
  name: string,
  quantile: number,
  keep: (sample: Sample) => boolean,
): number | null {
  const cumulated = new Map<number, number>();
  for (const sample of samples) {
    if (sample.name !== `${name}_bucket` || !keep(sample)) continue;
    const bound = sample.labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(sample.labels.le);
    cumulated.set(bound, (cumulated.get(bound) ?? 0) + sample.value);
  }
  const buckets = [...cumulated].sort(([a], [b]) => a - b);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const rank = quantile * total;
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + (bound - lower) * ((rank - below) / (count - below));
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

/** What one route did. */
export interface RouteFigures {
  readonly route: string;
  readonly requests: number;
  readonly failed: number;
  /** Seconds; null where none was measured. */
  readonly median: number | null;
  readonly p95: number | null;
}

const REQUESTS = 'bit_edge_requests_total';
const SECONDS = 'bit_edge_request_seconds';

/** Figures by method and route, the busiest first. */
export function routesOf(samples: readonly Sample[]): readonly RouteFigures[] {
  const keys = new Set(
    samples.filter(({ name }) => name === REQUESTS).map(({ labels }) => `${labels.method} ${labels.route}`),
  );
  return [...keys]
    .map((route) => {
      const keep = ({ labels }: Sample): boolean => `${labels.method} ${labels.route}` === route;
      return {
        route,
        requests: sumOf(samples, REQUESTS, keep),
        failed: sumOf(samples, REQUESTS, (sample) => keep(sample) && Number(sample.labels.status) >= 400),
        median: quantileOf(samples, SECONDS, 0.5, keep),
        p95: quantileOf(samples, SECONDS, 0.95, keep),
      };
    })
    .sort((a, b) => b.requests - a.requests);
}

/** How often each error code was answered, the most frequent first. */
export function codesOf(samples: readonly Sample[]): readonly { readonly code: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    if (name !== REQUESTS || labels.code === undefined || labels.code === '') continue;
    counts.set(labels.code, (counts.get(labels.code) ?? 0) + value);
  }
  return [...counts].map(([code, count]) => ({ code, count })).sort((a, b) => b.count - a.count);
}
