import { expect, it } from 'vitest';
import {
  codesOf,
  gaugeOf,
  parseExposition,
  quantileOf,
  routesOf,
  sumOf,
} from '../../../console/src/pages/health/exposition.ts';
import { Metrics } from '../../../worker/observability/metrics.ts';

function metrics(): Metrics {
  const made = new Metrics();
  made.gauge('bit_edge_waiting_requests', 'Waiting.', () => 7);
  const count = (route: string, status: string, code: string, by: number): void =>
    made.count('bit_edge_requests_total', 'Requests.', { method: 'GET', route, status, code }, by);
  count('/a', '200', '', 5);
  count('/a', '404', 'not_found', 2);
  count('/b', '503', 'overloaded', 3);
  for (const seconds of [0.002, 0.002, 0.002, 0.02]) {
    made.observe('bit_edge_request_seconds', 'Time.', { method: 'GET', route: '/a' }, seconds);
  }
  return made;
}

const samples = parseExposition(metrics().format());
const any = (): boolean => true;

it('reads what the worker writes', () => {
  expect(gaugeOf(samples, 'bit_edge_waiting_requests')).toBe(7);
  expect(gaugeOf(samples, 'none')).toBeNull();
  expect(sumOf(samples, 'bit_edge_requests_total')).toBe(10);
  expect(codesOf(samples)).toEqual([
    { code: 'overloaded', count: 3 },
    { code: 'not_found', count: 2 },
  ]);
});

it('sums up routes, the busiest first', () => {
  expect(routesOf(samples)).toMatchObject([
    { route: 'GET /a', requests: 7, failed: 2 },
    { route: 'GET /b', requests: 3, failed: 3, median: null, p95: null },
  ]);
});

it('gives the quantiles that histogram_quantile gives', () => {
  // Three of four in (0.001, 0.0025], one in (0.01, 0.025].
  expect(quantileOf(samples, 'bit_edge_request_seconds', 0.5, any)).toBeCloseTo(0.001 + 0.0015 * (2 / 3));
  expect(quantileOf(samples, 'bit_edge_request_seconds', 1, any)).toBeCloseTo(0.025);
  const slow = parseExposition('x_bucket{le="1"} 0\nx_bucket{le="+Inf"} 2\n');
  expect(quantileOf(slow, 'x', 0.5, any)).toBe(1);
});

it('reads escaped label values', () => {
  const [sample] = parseExposition('x{a="q\\"b\\\\c\\nd",e="f"} 1.5');
  expect(sample).toEqual({ name: 'x', labels: { a: 'q"b\\c\nd', e: 'f' }, value: 1.5 });
});
