/** The report as a page for people. Pure, no I/O. */
import { formatBytes } from '../progress.ts';
import type { Report, VariantReport } from './report.ts';

/** The page, in GitHub's Markdown. @param hasPlot whether report.svg lies beside it. */
export function renderMarkdown(report: Report, hasPlot: boolean): string {
  const { architecture } = report;
  const { height, width } = architecture.image_size;
  const sections = [
    `# ${report.name} ${report.version}`,
    `Imported ${report.created_at} from ${report.source.kind} \`${report.source.reference}\` (SHA-256 of the weights: ` +
      `\`${report.source.sha256 ?? 'not known'}\`).`,
    table(
      ['', ''],
      [
        ['parameters', architecture.parameters.toLocaleString('en')],
        ['multiply-accumulates', `${(architecture.macs / 1e6).toFixed(1)} M at ${width}x${height} px`],
        ['labels', String(architecture.num_labels)],
        ['preprocessing', architecture.preprocessor_source],
      ],
    ),
    '## Variants',
    table(
      ['variant', 'size', 'WASM heap', 'session', 'first run', 'run', 'input', 'outputs'],
      Object.entries(report.variants).map(([name, variant]) => variantRow(name, variant)),
    ),
    `Measured on the importing machine with checked addresses, as in a worker: one image of ${width}x${height} px, one thread, median ` +
      `of the runs behind the first. int8 runs in ${runners(report)}.`,
    ...resolutions(report),
    ...accuracy(report),
    ...quantization(report, hasPlot),
  ];
  if (report.warnings.length > 0) sections.push('## Warnings', report.warnings.map((line) => `- ${line}`).join('\n'));
  sections.push('## Where it came from', ...origins(report));
  return `${sections.join('\n\n')}\n`;
}

function origins({ origins: found, notes }: Report): string[] {
  const rows = found.map(({ field, value, from, assumed }) => {
    return [`\`${field}\``, shorten(value), assumed ? `**assumed**: ${from}` : from];
  });
  return [table(['field', 'value', 'from'], rows), ...notes.map((note) => `- ${note}`)];
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function resolutions({ resolutions: found, architecture }: Report): string[] {
  if (found.length === 0) return [];
  const isCompared = found.some(({ agreement }) => agreement !== null);
  const rows = found.map(
    ({ side_px: side, macs, estimated_run_ms: ms, heap_bytes: heap, fits_edge: fits, agreement }) => [
      `${side} px${side === architecture.image_size.width ? ', this version' : ''}`,
      `${(macs / 1e9).toFixed(2)} G`,
      ms === null ? '-' : `${ms.toFixed(0)} ms`,
      `${(heap / 2 ** 20).toFixed(1)} MiB`,
      fits ? 'yes' : 'no',
      ...(isCompared ? [agreement === null ? '-' : percent(agreement)] : []),
    ],
  );
  return [
    '## Resolutions',
    table(
      [
        'int8 at',
        'multiply-accumulates',
        'run',
        'WASM heap',
        'fits the edge',
        ...(isCompared ? [`agrees with fp32 at ${architecture.image_size.width} px`] : []),
      ],
      rows,
    ),
    'Planned for a worker with the usual memory budget; times are those of this version by multiply-accumulates. `--size PX` imports at another resolution.',
  ];
}

function accuracy({ evaluation }: Report): string[] {
  if (evaluation === null) return [];
  const rows = [['images', `${evaluation.images} of \`${evaluation.folder}\``]];
  for (const [name, share] of Object.entries(evaluation.top1 ?? {})) {
    rows.push([`top-1 ${name}`, `${percent(share)} of ${evaluation.labelled} labelled`]);
  }
  if (evaluation.int8_vs_fp32 !== null) {
    rows.push(['int8 and fp32 agree', percent(evaluation.int8_vs_fp32.agreement)]);
    rows.push(['mean logit error of int8', percent(evaluation.int8_vs_fp32.mean_logit_error)]);
  }
  const without = evaluation.int8_without_pictures_vs_fp32;
  if (without !== null) {
    rows.push(['the same without calibration', `${percent(without.agreement)}, ${percent(without.mean_logit_error)}`]);
  }
  return ['## Accuracy', table(['', ''], rows)];
}

function quantization({ quantization: found }: Report, hasPlot: boolean): string[] {
  if (found === null) return [];
  const { layers, float_layers: floatLayers, largest } = found;
  const rows = [
    [
      'activation ranges',
      found.calibration_images === 0
        ? 'estimated from the group norms, without images'
        : `calibrated on ${found.calibration_images} images`,
    ],
    ['layers in int8', `${layers.length - floatLayers.length} of ${layers.length}`],
    ['left in float32', floatLayers.map((name) => `\`${name}\``).join(', ') || 'none'],
  ];
  if (largest !== null) rows.push(['largest error of a layer', `${percent(largest.error)}: \`${largest.name}\``]);
  const sections = ['## Quantization', table(['', ''], rows)];
  if (hasPlot) sections.push('![relative error by layer](report.svg)');
  return sections;
}

function variantRow(name: string, variant: VariantReport): string[] {
  const { measured } = variant;
  const ms = (value: number | undefined): string => (value === undefined ? '-' : `${value.toFixed(0)} ms`);
  return [
    name,
    formatBytes(variant.bytes),
    measured === null ? '-' : `${(measured.heap_bytes / 2 ** 20).toFixed(1)} MiB`,
    ms(measured?.create_ms),
    ms(measured?.first_run_ms),
    ms(measured?.run_ms),
    `\`${variant.input}\``,
    variant.outputs.join(', '),
  ];
}

/** Who runs int8. */
function runners({ variants }: Report): string {
  const heap = variants.int8?.measured;
  if (heap?.engine !== 'bit') return 'onnxruntime-web';
  return `the engine for BiT; in onnxruntime-web it would take ${(heap.wasm_heap_bytes / 2 ** 20).toFixed(1)} MiB`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
