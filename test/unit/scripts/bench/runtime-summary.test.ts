import { describe, expect, it } from 'vitest';
import { figuresPage } from '../../../../scripts/bench/runtime/figures.ts';
import { SIDES, summarize } from '../../../../scripts/bench/runtime/result.ts';
import { NOTHING, PARTS } from './runtime-result.ts';

const without = (...sides: readonly string[]) => ({
  ...PARTS,
  inference: PARTS.inference!.filter(({ side }) => !sides.includes(side)),
});

describe('summarize', () => {
  it('compares with the faster of the int8 forms that ran in onnxruntime-node', () => {
    expect(summarize(PARTS).ratios.r50_int8_vs_node1).toBe(4.811);
    expect(summarize(without(SIDES.r50QdqNode)).ratios.r50_int8_vs_node1).toBe(2.898);
    expect(summarize(without(SIDES.r50QdqNode, SIDES.r50Int8Node)).ratios.r50_int8_vs_node1).toBeNull();
  });

  it('gives the ratios of medians, and null where a side is missing', () => {
    expect(summarize(PARTS).ratios).toMatchObject({
      r50_int8_vs_fp32: 0.5,
      r50_448_int8_vs_fp32: 0.4,
      default_int8_vs_fp32: 0.656,
      r50_int8_vs_qdq: 0.819,
      r50_int8_vs_onnxruntime: 0.717,
      cold_r50_vs_onnxruntime: 0.5,
    });
    expect(summarize(without(SIDES.r50Fp32)).ratios.r50_int8_vs_fp32).toBeNull();
  });

  it('takes the median cold start, the load at the highest concurrency, and all that was lost', () => {
    expect(summarize(PARTS)).toMatchObject({
      cold_ms_default: 935.7,
      rps_default: 64.2,
      p99_over_p50_c16: 1.862,
      lost: 3,
      peak_mib_default: 82.1,
      peak_mib_r50_12mp: 115.4,
      peak_mib_r50_448_12mp: 108.7,
      heap_mib_r50_224: 57.8,
      heap_mib_r50_448: 61.2,
      heap_mib_r101_448: 62.8,
      heap_mib_r50_224_onnxruntime: 52.7,
      gmacs_products: 46.5,
      gmacs_dot_ceiling: 46.6,
      ms_r50_448: 801.2,
      failed_r50_448: 0,
      failed_r101_448: 0,
    });
  });

  it('gives no peak of a memory phase in which requests failed', () => {
    const failing = { ...PARTS.memoryR50!, failed: 1 };
    const result = summarize({ ...PARTS, memoryR50: failing, memoryR50At448: failing });
    expect(result.peak_mib_r50_12mp).toBeNull();
    expect(result).toMatchObject({ peak_mib_r50_448_12mp: null, heap_mib_r50_448: null, failed_r50_448: 1 });
    expect(result.memory.r50).toEqual(failing);
  });

  it('has every figure as null where nothing was measured', () => {
    const { ratios, ...rest } = summarize(NOTHING);
    expect(Object.keys(ratios)).toHaveLength(9);
    expect(new Set(Object.values(ratios))).toEqual(new Set([null]));
    expect(rest).toMatchObject({
      cold_ms_default: null,
      rps_default: null,
      p99_over_p50_c16: null,
      lost: null,
      peak_mib_default: null,
      peak_mib_r50_12mp: null,
    });
  });
});

describe('figuresPage', () => {
  it('says what is met and what is missed', () => {
    const page = figuresPage(summarize(PARTS));
    expect(page).toMatch(/\| cold_ms_default +\| 935\.7 +\| under 1000: met +\|/);
    expect(page).toMatch(/\| lost +\| 3 +\| 0: \*\*missed\*\* +\|/);
    expect(page).toMatch(/\| peak_mib_default +\| 82\.1 +\| at most 48: \*\*missed\*\* +\|/);
  });

  it('has columns of equal width in every row of a table', () => {
    for (const block of figuresPage(summarize(PARTS)).split('\n\n')) {
      const bars = block.split('\n').filter((line) => line.startsWith('|'));
      const ends = bars.map((line) => [...line.matchAll(/\|/g)].map(({ index }) => index).join());
      expect(new Set(ends).size).toBeLessThanOrEqual(1);
    }
  });

  it('leaves out the tables of phases that were left out, and names those that failed', () => {
    const page = figuresPage(summarize({ ...NOTHING, failures: { 'memory r50': 'the inspector did not answer' } }));
    expect(page).not.toContain('concurrency');
    expect(page).toContain('| not measured |');
    expect(page).toContain('- **memory r50 failed**: the inspector did not answer');
  });
});
