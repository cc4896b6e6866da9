/**
 * Counters, gauges and histograms of one isolate, and their Prometheus text. Pure bookkeeping.
 * Source: Prometheus text exposition format 0.0.4.
 */

/** Label names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** Upper bounds of latency buckets in seconds. */
const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The same for waits in queues: from prompt to a day. */
const LONG_BUCKETS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400];

interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum: number;
  count: number;
}

interface Family<T> {
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly series: Map<string, T>;
}

/** The metrics of one isolate. Names and help texts are given where a metric is first used. */
export class Metrics {
  readonly #counters = new Map<string, Family<number>>();
  readonly #histograms = new Map<string, Family<Histogram>>();
  readonly #gauges = new Map<string, { readonly help: string; read(): number }>();

  /** Adds `by` to a counter. */
  count(name: string, help: string, labels: Labels = {}, by = 1): void {
    const series = family(this.#counters, name, help, 'counter').series;
    const key = formatLabels(labels);
    series.set(key, (series.get(key) ?? 0) + by);
  }

  /** Records a duration. @param scale `long` for waits of minutes and hours; one histogram has one scale. */
  observe(name: string, help: string, labels: Labels, seconds: number, scale: 'request' | 'long' = 'request'): void {
    const series = family(this.#histograms, name, help, 'histogram').series;
    const key = formatLabels(labels);
    let histogram = series.get(key);
    if (histogram === undefined) {
      const bounds = scale === 'long' ? LONG_BUCKETS : SECONDS_BUCKETS;
      histogram = { bounds, counts: bounds.map(() => 0), sum: 0, count: 0 };
      series.set(key, histogram);
    }
    histogram.sum += seconds;
    histogram.count++;
    const bucket = histogram.bounds.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) histogram.counts[bucket]!++;
  }

  /** Registers a value that is read when it is asked for. */
  gauge(name: string, help: string, read: () => number): void {
    this.#gauges.set(name, { help, read });
  }

  /** Everything, as Prometheus reads it. */
  format(): string {
    const lines: string[] = [];
    for (const [name, { help, read }] of this.#gauges) {
      lines.push(...header(name, help, 'gauge'), `${name} ${read()}`);
    }
    for (const [name, { help, series }] of this.#counters) {
      lines.push(...header(name, help, 'counter'));
      for (const [labels, value] of series) lines.push(`${name}${braces(labels)} ${value}`);
    }
    for (const [name, { help, series }] of this.#histograms) {
      lines.push(...header(name, help, 'histogram'));
      for (const [labels, { bounds, counts, sum, count }] of series) {
        let cumulated = 0;
        bounds.forEach((bound, index) => {
          cumulated += counts[index]!;
          lines.push(`${name}_bucket${braces(join(labels, `le="${bound}"`))} ${cumulated}`);
        });
        lines.push(`${name}_bucket${braces(join(labels, 'le="+Inf"'))} ${count}`);
        lines.push(`${name}_sum${braces(labels)} ${sum}`, `${name}_count${braces(labels)} ${count}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }
}

function family<T>(families: Map<string, Family<T>>, name: string, help: string, type: Family<T>['type']): Family<T> {
  let found = families.get(name);
  if (found === undefined) {
    found = { help, type, series: new Map() };
    families.set(name, found);
  }
  return found;
}

function header(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function formatLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(
      ([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
    )
    .join(',');
}

function join(labels: string, more: string): string {
  return labels === '' ? more : `${labels},${more}`;
}

function braces(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}
