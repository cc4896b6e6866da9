import { expect, test } from 'vitest';
import { Counter, Gauge, Histogram, renderMetrics } from '../../../gpu-backend/metrics.ts';

test('metrics are rendered in the text format, labels escaped', () => {
  const counter = new Counter('requests_total', 'Requests.');
  counter.add({ model: 'a"b\\c\nd' });
  counter.add({ model: 'a"b\\c\nd' }, 2);
  const gauge = new Gauge('ready', 'Ready.', () => [[{}, 1]]);
  const histogram = new Histogram('seconds', 'Seconds.', [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe({ model: 'm' }, value);
  expect(renderMetrics([counter, gauge, histogram])).toBe(
    [
      '# HELP requests_total Requests.',
      '# TYPE requests_total counter',
      'requests_total{model="a\\"b\\\\c\\nd"} 3',
      '# HELP ready Ready.',
      '# TYPE ready gauge',
      'ready 1',
      '# HELP seconds Seconds.',
      '# TYPE seconds histogram',
      'seconds_bucket{model="m",le="0.1"} 2',
      'seconds_bucket{model="m",le="1"} 3',
      'seconds_bucket{model="m",le="+Inf"} 4',
      'seconds_sum{model="m"} 7.65',
      'seconds_count{model="m"} 4',
      '',
    ].join('\n'),
  );
});
