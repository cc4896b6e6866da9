import { describe, expect, it } from 'vitest';
import { renderLayerPlot } from '../../../../scripts/cli/report/layer-plot.ts';
import { renderMarkdown } from '../../../../scripts/cli/report/markdown.ts';
import { createReport, type QuantizedLayer, type ReportParts } from '../../../../scripts/cli/report/report.ts';

const layers: QuantizedLayer[] = [
  { name: 'embedder.convolution', precision: 'float32', weight_error: 0.05, input_error: 0.02 },
  { name: 'stages.0 <conv1>', precision: 'int8', weight_error: 0.003, input_error: 0.004 },
  { name: 'classifier', precision: 'int8', weight_error: 0.006, input_error: 0.008 },
];

const file = (path: string, bytes: number) => ({ path, bytes, sha256: '0'.repeat(64) });
const tensor = { name: 'pixel_values', dtype: 'float32' as const, shape: ['batch', 3, 64, 64] };
const variant = {
  model: file('model.onnx', 100_000),
  weights: file('weights.bin', 3_900_000),
  inputs: [tensor],
  outputs: [{ name: 'logits', dtype: 'float32' as const, shape: ['batch', 2] }],
  macs: 50_400_000,
  parameters: 3_697_768,
  wasm_heap_bytes: null,
};
const measured = {
  engine: 'bit',
  heap_bytes: 12 * 2 ** 20,
  wasm_heap_bytes: 16 * 2 ** 20,
  create_ms: 300.4,
  first_run_ms: 90.2,
  run_ms: 20.4,
} as const;
const parts: ReportParts = {
  manifest: {
    schema_version: 1,
    name: 'tiny',
    version: '1',
    created_at: '2026-01-01T00:00:00Z',
    source: { kind: 'huggingface', reference: 'here|there', sha256: 'abc' },
    config: {},
    num_labels: 2,
    labels: file('labels.json', 10),
    preprocessor: file('preprocessor.json', 10),
    report: null,
    attachments: [],
    variants: { int8: variant, fp32: { ...variant, weights: null } },
    default_variant: 'int8',
  },
  imageSize: { height: 64, width: 64 },
  preprocessorSource: 'preprocessor_config.json',
  origins: [
    { field: 'labels', value: '2: a|b, c', from: 'config.json', assumed: false },
    { field: 'size', value: '{"shortest_edge":256}', from: 'default of google', assumed: true },
  ],
  notes: ['a.pth: the weights are its "model"'],
  measurements: { int8: measured },
  calibrationImages: 200,
  layers,
  resolutions: [
    {
      side_px: 64,
      macs: 50_400_000,
      estimated_run_ms: 20.4,
      heap_bytes: 12 * 2 ** 20,
      fits_edge: true,
      agreement: 0.977,
    },
    {
      side_px: 448,
      macs: 2_500_000_000,
      estimated_run_ms: 1012.2,
      heap_bytes: 99.5 * 2 ** 20,
      fits_edge: false,
      agreement: 0.91,
    },
  ],
  evaluation: {
    folder: 'validation',
    images: 1000,
    labelled: 990,
    top1: { fp32: 0.371, int8: 0.368 },
    int8_vs_fp32: { agreement: 0.977, mean_logit_error: 0.016 },
    int8_without_pictures_vs_fp32: { agreement: 0.972, mean_logit_error: 0.017 },
  },
  warnings: ['mind the gap'],
};

describe('createReport', () => {
  const report = createReport(parts);

  it('names the largest error among the layers that are int8, and those that are not', () => {
    expect(report.quantization).toMatchObject({
      calibration_images: 200,
      float_layers: ['embedder.convolution'],
      largest: { name: 'classifier' },
    });
    expect(report.quantization!.largest!.error).toBeCloseTo(0.01);
  });

  it('has sizes and measurements by variant', () => {
    expect(report.variants.int8).toMatchObject({ bytes: 4_000_000, measured });
    expect(report.variants.fp32).toMatchObject({ bytes: 100_000, measured: null });
    expect(report.architecture).toMatchObject({ parameters: 3_697_768, macs: 50_400_000, num_labels: 2 });
  });

  it('has no quantization where nothing was quantized', () => {
    expect(createReport({ ...parts, layers: [] }).quantization).toBeNull();
  });
});

describe('renderMarkdown', () => {
  const page = renderMarkdown(createReport(parts), true);

  it('says where every field came from, and marks what was assumed', () => {
    expect(page).toContain('| `labels` | 2: a\\|b, c | config.json |');
    expect(page).toContain('| `size` | {"shortest_edge":256} | **assumed**: default of google |');
    expect(page).toContain('- a.pth: the weights are its "model"');
  });

  it.each([
    '| int8 | 4.0 MB | 12.0 MiB | 300 ms | 90 ms | 20 ms |',
    'int8 runs in the engine for BiT; in onnxruntime-web it would take 16.0 MiB.',
    '| fp32 | 100.0 kB | - | - | - | - |',
    '| parameters | 3,697,768 |',
    '| multiply-accumulates | 50.4 M at 64x64 px |',
    '| 64 px, this version | 0.05 G | 20 ms | 12.0 MiB | yes | 97.70 % |',
    '| 448 px | 2.50 G | 1012 ms | 99.5 MiB | no | 91.00 % |',
    '| top-1 int8 | 36.80 % of 990 labelled |',
    '| int8 and fp32 agree | 97.70 % |',
    '| mean logit error of int8 | 1.60 % |',
    '| the same without calibration | 97.20 %, 1.70 % |',
    '| activation ranges | calibrated on 200 images |',
    '| layers in int8 | 2 of 3 |',
    '| left in float32 | `embedder.convolution` |',
    '| largest error of a layer | 1.00 %: `classifier` |',
    '![relative error by layer](report.svg)',
    '- mind the gap',
  ])('says: %s', (line) => {
    expect(page).toContain(line);
  });

  it('leaves out what there is not', () => {
    const bare = renderMarkdown(createReport({ ...parts, layers: [], evaluation: null, warnings: [] }), false);
    expect(bare).not.toMatch(/Accuracy|Quantization|Warnings|report\.svg/);
  });
});

describe('renderLayerPlot', () => {
  it('draws two bars a layer, as long as the errors are large', () => {
    const plot = renderLayerPlot(createReport(parts))!;
    const bars = [...plot.matchAll(/width="([\d.]+)" height="5" fill="(#\w+)"/g)].map(([, width, fill]) => [
      Number(width),
      fill,
    ]);
    expect(bars).toHaveLength(6);
    expect(bars[0]![0]).toBeCloseTo(520, 0);
    expect(Number(bars[4]![0]) / Number(bars[0]![0])).toBeCloseTo(0.006 / 0.05, 2);
    expect(bars[0]![1]).toBe(bars[1]![1]);
    expect(bars[4]![1]).not.toBe(bars[5]![1]);
  });

  it('escapes names, and marks the axis in percent', () => {
    const plot = renderLayerPlot(createReport(parts))!;
    expect(plot).toContain('stages.0 &lt;conv1&gt;');
    expect([...plot.matchAll(/middle" fill="#475569">([^<]+)</g)].map(([, tick]) => tick)).toEqual([
      '0 %',
      '1 %',
      '2 %',
      '3 %',
      '4 %',
      '5 %',
    ]);
  });

  it('is not drawn where nothing was quantized', () => {
    expect(renderLayerPlot(createReport({ ...parts, layers: [] }))).toBeNull();
  });
});
