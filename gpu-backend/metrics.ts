/**
 * Counters, gauges and histograms in Prometheus' text format. Pure.
 * Source: Prometheus, "Exposition formats", text format 0.0.4.
 */

/** Label names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** The content type of `Metrics.render`. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

interface Series {
  readonly name: string;
  render(): string[];
}

/** A number that only grows. */
export class Counter implements Series {
  readonly name: string;
  readonly #help: string;
  readonly #values = new Map<string, number>();

  constructor(name: string, help: string) {
    this.name = name;
    this.#help = help;
  }

  /** Adds `amount` to the series of these labels. */
  add(labels: Labels, amount = 1): void {
    const key = labelText(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount);
  }

  render(): string[] {
    return [
      ...head(this.name, this.#help, 'counter'),
      ...[...this.#values].map(([key, value]) => line(this.name, key, value)),
    ];
  }
}

/** Numbers that are asked for when the metrics are read. */
export class Gauge implements Series {
  readonly name: string;
  readonly #help: string;
  readonly #read: () => Iterable<readonly [Labels, number]>;

  constructor(name: string, help: string, read: () => Iterable<readonly [Labels, number]>) {
    this.name = name;
    this.#help = help;
    this.#read = read;
  }

  render(): string[] {
    const lines = Array.from(this.#read(), ([labels, value]) => line(this.name, labelText(labels), value));
    return [...head(this.name, this.#help, 'gauge'), ...lines];
  }
}

/** How observations spread over buckets; `bounds` are the inclusive upper ends, rising. */
export class Histogram implements Series {
  readonly name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  /** Takes one value into the series of these labels. */
  observe(labels: Labels, value: number): void {
    const key = labelText(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, counts: this.#bounds.map(() => 0), sum: 0, count: 0 };
      this.#series.set(key, series);
    }
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) series.counts[bucket]!++;
    series.sum += value;
    series.count++;
  }

  render(): string[] {
    const lines = head(this.name, this.#help, 'histogram');
    for (const [key, { labels, counts, sum, count }] of this.#series) {
      let below = 0;
      this.#bounds.forEach((bound, index) => {
        below += counts[index]!;
        lines.push(line(`${this.name}_bucket`, labelText({ ...labels, le: String(bound) }), below));
      });
      lines.push(line(`${this.name}_bucket`, labelText({ ...labels, le: '+Inf' }), count));
      lines.push(line(`${this.name}_sum`, key, sum), line(`${this.name}_count`, key, count));
    }
    return lines;
  }
}

/** The text of several metrics. */
export function renderMetrics(metrics: readonly Series[]): string {
  return `${metrics.flatMap((metric) => metric.render()).join('\n')}\n`;
}

function head(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels} ${value}`;
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => {
    return `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
  });
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}
