import { expect, it } from 'vitest';
import { formatBytes, Progress } from '../../../../scripts/cli/progress.ts';

function record(isTTY: boolean) {
  let nowMs = 0;
  const written: string[] = [];
  const output = { isTTY, write: (text: string) => written.push(text) };
  const progress = new Progress('model.onnx', 2_000_000, formatBytes, output, () => nowMs);
  return { progress, written, wait: (ms: number) => (nowMs += ms) };
}

it('redraws one line on a terminal, at most ten times a second', () => {
  const { progress, written, wait } = record(true);
  progress.update(0);
  wait(50);
  progress.update(500_000);
  wait(60);
  progress.update(1_000_000);
  progress.finish();
  expect(written).toEqual([
    '\rmodel.onnx [........................]   0 % 0 B of 2.0 MB\x1b[K',
    '\rmodel.onnx [############............]  50 % 1.0 MB of 2.0 MB\x1b[K',
    '\rmodel.onnx: done\x1b[K\n',
  ]);
});

it('writes plain lines, rarely, where there is no terminal', () => {
  const { progress, written, wait } = record(false);
  progress.update(0);
  wait(4000);
  progress.update(1);
  wait(2000);
  progress.update(1_000_000);
  progress.clear();
  expect(written).toEqual(['model.onnx [############............]  50 % 1.0 MB of 2.0 MB\n']);
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [14_799_864, '14.8 MB'],
  [3_750_000_000, '3.8 GB'],
])('shows %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
