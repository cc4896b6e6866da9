import { describe, expect, it } from 'vitest';
import { layOut, MAX_EDGE_PX } from '../../../../worker/imaging/jpeg/layout.ts';
import type { Frame } from '../../../../worker/imaging/jpeg/marker-reader.ts';

function frame(width: number, height: number, ...factors: readonly (readonly [number, number])[]): Frame {
  const components = factors.map(([horizontal, vertical], i) => ({ id: i + 1, horizontal, vertical, quantSlot: 0 }));
  return { progressive: false, arithmetic: false, width, height, components };
}

describe('layOut', () => {
  it.each([
    [1, 101, 67],
    [2, 51, 34],
    [4, 26, 17],
    [8, 13, 9],
  ] as const)('at 1/%d a 101x67 image is %dx%d', (scale, width, height) => {
    const layout = layOut(frame(101, 67, [2, 2], [1, 1], [1, 1]), scale);
    expect([layout.outputWidth, layout.outputHeight]).toEqual([width, height]);
  });

  it('lets a larger inverse DCT do the upsampling of 4:2:0 at reduced size', () => {
    const describeAt = (scale: 1 | 2 | 4 | 8): unknown =>
      layOut(frame(64, 64, [2, 2], [1, 1]), scale).components.map((c) => [c.blockSize, c.upsampling]);
    expect(describeAt(1)).toEqual([
      [8, 'none'],
      [8, 'h2v2-fancy'],
    ]);
    expect(describeAt(2)).toEqual([
      [4, 'none'],
      [8, 'none'],
    ]);
    expect(describeAt(8)).toEqual([
      [1, 'none'],
      [2, 'none'],
    ]);
  });

  it('filters only what the reference filters', () => {
    const upsampling = (width: number, scale: 1 | 8, h: number, v: number): unknown =>
      layOut(frame(width, 64, [h, v], [1, 1]), scale).components[1]!.upsampling;
    expect(upsampling(64, 1, 2, 1)).toBe('h2v1-fancy');
    expect(upsampling(64, 1, 1, 2)).toBe('h1v2-fancy');
    expect(upsampling(64, 1, 4, 1)).toBe('repeat');
    expect(upsampling(64, 8, 2, 1)).toBe('repeat');
    expect(upsampling(5, 1, 2, 2)).toBe('h2v2-fancy');
    expect(upsampling(4, 1, 2, 2)).toBe('repeat');
  });

  it('takes edges up to 65500 px and sampling factors from 1 to 4', () => {
    expect(() => layOut(frame(MAX_EDGE_PX, 1, [1, 1]), 1)).not.toThrow();
    expect(() => layOut(frame(MAX_EDGE_PX + 1, 1, [1, 1]), 1)).toThrow(/65501x1/);
    expect(() => layOut(frame(8, 8, [4, 4]), 1)).not.toThrow();
    expect(() => layOut(frame(8, 8, [5, 1]), 1)).toThrow(/5x1/);
    expect(() => layOut(frame(8, 8, [3, 1], [2, 1]), 1)).toThrow(/1\.5:1/);
  });
});
