/** The runtime suite's result as Markdown tables: printed, and written beside the plot. Pure, no I/O. */
import { markdownTable } from '../../cli/report/markdown-table.ts';
import type { Machine } from './machine.ts';
import type { MemoryResult } from './memory.ts';
import { type RuntimeResult, TARGETS } from './result.ts';

/** The page that the suite writes. */
export function figuresPage(result: RuntimeResult): string {
  const sections = [
    '# Runtime figures',
    'Written by `npm run bench -- runtime`; [runtime.md](runtime.md) says what is measured and how.',
    ...figuresTables(result),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** Its tables, one a section, with the machine and what failed. */
export function figuresTables(result: RuntimeResult): string[] {
  const failures = Object.entries(result.failures).map(([phase, message]) => `- **${phase} failed**: ${message}`);
  return [
    machineLine(result.machine),
    ...inference(result),
    ...products(result),
    ...coldStart(result),
    ...coldR50(result),
    ...load(result),
    ...memory(result),
    wanted(result),
    ...(failures.length === 0 ? [] : [failures.join('\n')]),
  ];
}

function machineLine(machine: Machine): string {
  const node = machine.onnxruntime_node === null ? '' : `, onnxruntime-node ${machine.onnxruntime_node}`;
  return (
    `${machine.cpu}, ${machine.cores} cores, load average ${machine.load_average.toFixed(1)} before; Node ${machine.node}, ` +
    `wrangler ${machine.wrangler}, workerd ${machine.workerd}, onnxruntime-web ${machine.onnxruntime_web}${node}; ` +
    `${machine.measured_at.slice(0, 10)}.`
  );
}

function inference({ inference: rows }: RuntimeResult): string[] {
  if (rows === null) return [];
  return [
    markdownTable(
      ['inference, ms', 'median', 'fastest', 'runs'],
      rows.map(({ side, medianMs, fastestMs, runs }) => [side, number(medianMs), number(fastestMs), String(runs)]),
    ),
  ];
}

function coldStart({ cold_start: starts }: RuntimeResult): string[] {
  if (starts === null) return [];
  return [
    markdownTable(
      ['cold start, ms', 'first answer', 'manifest', 'files and runtime', 'session'],
      starts.map(({ firstAnswerMs, manifestMs, filesMs, sessionMs }, index) => [
        String(index + 1),
        ...[firstAnswerMs, manifestMs, filesMs, sessionMs].map(number),
      ]),
    ),
  ];
}

function coldR50({ cold_start_r50: pair }: RuntimeResult): string[] {
  if (pair === null) return [];
  const rows = (['engine', 'onnxruntime'] as const).flatMap((name) =>
    pair[name].map(({ firstAnswerMs, manifestMs, filesMs, sessionMs }) => [
      name,
      ...[firstAnswerMs, manifestMs, filesMs, sessionMs].map(number),
    ]),
  );
  return [
    markdownTable(['cold start of R50x1 int8, ms', 'first answer', 'manifest', 'files and runtime', 'session'], rows),
  ];
}

function products({ products: found }: RuntimeResult): string[] {
  if (found === null) return [];
  const { gmacs, gmacsDirect, gmacsWinograd, productMs, restMs, gmacsCeiling } = found;
  const rows = [
    ['convolutions, GMAC/s of the direct form', number(gmacs)],
    ['of them direct', number(gmacsDirect)],
    ['of them by Winograd', number(gmacsWinograd)],
    ['i32x4.dot_i16x8_s and an addition, in registers', number(gmacsCeiling)],
    ['convolutions, ms', number(productMs)],
    ['the rest, ms', number(restMs)],
  ];
  return [markdownTable(['R50x1 in the engine, least times of its steps', ''], rows)];
}

function load({ load: loads, cpu_ms_per_request: cpuMs }: RuntimeResult): string[] {
  if (loads === null) return [];
  const rows = loads.map(({ concurrency, requests, perSecond, p50Ms, p95Ms, p99Ms, lost }) => [
    `concurrency ${concurrency}`,
    String(requests),
    ...[perSecond, p50Ms, p95Ms, p99Ms].map(number),
    String(lost),
  ]);
  const head = ['default model, 500x375 JPEG', 'requests', 'requests/s', 'p50 ms', 'p95 ms', 'p99 ms', 'lost'];
  const note = cpuMs === null ? [] : [`Processor time: ${number(cpuMs)} ms a request, wrangler's proxy included.`];
  return [markdownTable(head, rows), ...note];
}

function memory({ memory: found }: RuntimeResult): string[] {
  const rows = [
    ...memoryRow('default model', found.default),
    ...memoryRow('R50x1 int8', found.r50),
    ...memoryRow('R50x1 int8, 448 px', found.r50_448),
    ...memoryRow('R101x1 int8, 448 px', found.r101_448),
  ];
  if (rows.length === 0) return [];
  const head = ['memory, MiB', 'WASM', 'after collection', 'peak, garbage included', 'growth', 'requests', 'failed'];
  return [markdownTable(head, rows)];
}

function memoryRow(name: string, found: MemoryResult | null): string[][] {
  if (found === null) return [];
  const { wasmMib, steadyMib, peakMib, growthMib, requests, failed, unsent } = found;
  const failures = unsent === 0 ? String(failed) : `${failed}, of them ${unsent} not sent any more`;
  const sizes = [wasmMib, steadyMib, peakMib].map(number);
  return [[name, ...sizes, growthMib.toFixed(2), String(requests), failures]];
}

function wanted(result: RuntimeResult): string {
  const { ratios } = result;
  const below = (key: string, value: number | null, limit: number, inclusive: boolean): string[] => {
    const met = value !== null && (inclusive ? value <= limit : value < limit);
    return [key, show(value), `${inclusive ? 'at most' : 'under'} ${limit}${verdict(value, met)}`];
  };
  const { rps_default: perSecond, lost, failed_r50_448: failed, failed_r101_448: failedR101 } = result;
  return markdownTable(
    ['figure', 'measured', 'wanted'],
    [
      ...Object.entries(ratios).map(([name, value]) => {
        const limit = TARGETS.ratios[name];
        return limit === undefined ? [name, show(value), ''] : below(name, value, limit, true);
      }),
      below('cold_ms_default', result.cold_ms_default, TARGETS.coldMs, false),
      [
        'rps_default',
        show(perSecond),
        `at least ${TARGETS.requestsPerSecond}${verdict(perSecond, perSecond !== null && perSecond >= TARGETS.requestsPerSecond)}`,
      ],
      below('p99_over_p50_c16', result.p99_over_p50_c16, TARGETS.p99OverP50, false),
      ['lost', show(lost), `0${verdict(lost, lost === 0)}`],
      below('peak_mib_default', result.peak_mib_default, TARGETS.defaultPeakMib, true),
      below('peak_mib_r50_12mp', result.peak_mib_r50_12mp, TARGETS.r50PeakMib, true),
      below('peak_mib_r50_448_12mp', result.peak_mib_r50_448_12mp, TARGETS.r50At448PeakMib, true),
      below('peak_mib_r101_448_12mp', result.peak_mib_r101_448_12mp, TARGETS.r101At448PeakMib, true),
      ['failed_r50_448', show(failed), `0${verdict(failed, failed === 0)}`],
      ['failed_r101_448', show(failedR101), `0${verdict(failedR101, failedR101 === 0)}`],
      below('heap_mib_r50_224', result.heap_mib_r50_224, TARGETS.r50HeapMib, true),
      below('heap_mib_r50_448', result.heap_mib_r50_448, TARGETS.r50At448HeapMib, true),
      ['heap_mib_r50_224_onnxruntime', show(result.heap_mib_r50_224_onnxruntime), ''],
      below('heap_mib_r101_448', result.heap_mib_r101_448, TARGETS.r101At448HeapMib, true),
      below('create_ms_r50', result.create_ms_r50, TARGETS.createMs, true),
      ['create_ms_r50_onnxruntime', show(result.create_ms_r50_onnxruntime), ''],
      ['gmacs_products', show(result.gmacs_products), ''],
      ['gmacs_dot_ceiling', show(result.gmacs_dot_ceiling), ''],
      ['ms_r50_448', show(result.ms_r50_448), ''],
    ],
  );
}

function verdict(value: number | null, met: boolean): string {
  if (value === null) return '';
  return met ? ': met' : ': **missed**';
}

function show(value: number | null): string {
  return value === null ? 'not measured' : String(value);
}

function number(value: number): string {
  return Number.isFinite(value) ? value.toFixed(1) : '-';
}
