/** The dashboard, the alert rules and their runbook, against the metrics that the worker has. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PROMTOOL = '/usr/bin/promtool';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Names are literals where a metric is counted. */
const METRICS = new Set(
  readdirSync(join(ROOT, 'worker'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) =>
      [...read(`worker/${path}`).matchAll(/\b(?:count|observe|gauge)\(\s*'(bit_edge_[a-z_]+)'/g)].map(
        ([, name]) => name!,
      ),
    ),
);

/** Metrics that expressions name, without the suffixes of histograms. */
function named(expressions: string): Set<string> {
  const names = expressions.match(/bit_edge_[a-z_]+/g) ?? [];
  return new Set(names.map((name) => (METRICS.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''))));
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

it('finds the metrics of the worker', () => {
  expect(METRICS.size).toBeGreaterThan(10);
});

it('the dashboard shows every metric, and none that is not there', () => {
  const { panels } = JSON.parse(read('monitoring/grafana-dashboard.json')) as { panels: readonly Panel[] };
  const expressions = panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr);
  expect([...named(expressions.join('\n'))].sort()).toEqual([...METRICS].sort());
});

it('docs/operations.md lists every metric, and none that is not there', () => {
  const table = read('docs/operations.md').matchAll(/^\| `(bit_edge_[a-z_]+)`/gm);
  expect([...table].map(([, name]) => name).sort()).toEqual([...METRICS].sort());
});

it('alerts are about metrics that are there, and link to their section of the runbook', () => {
  const rules = read('monitoring/alerts.yml')
    .split(/^ {6}- alert: /m)
    .slice(1);
  const sections = [...read('docs/runbook.md').matchAll(/^## (\S+)$/gm)].map(([, title]) => title!);
  const alerts = rules.map((rule) => rule.split('\n')[0]!);
  expect(alerts).toEqual(sections);
  for (const [at, rule] of rules.entries()) {
    expect(rule).toContain(`runbook_url: docs/runbook.md#${alerts[at]!.toLowerCase()}\n`);
    for (const name of named(rule)) expect(METRICS).toContain(name);
  }
});

it.runIf(existsSync(PROMTOOL))(
  'promtool takes the rules',
  async () => {
    const { stdout } = await promisify(execFile)(PROMTOOL, ['check', 'rules', join(ROOT, 'monitoring/alerts.yml')]);
    expect(stdout).toContain('8 rules found');
  },
  60_000,
);
