/**
 * Ways to say group norm in ONNX, timed in onnxruntime-web from a convolution's floats to the next one's uint8 input.
 * `npm run bench -- group-norm` prints a Markdown table: docs/bench/group-norm.md.
 */
import * as ort from 'onnxruntime-web';
import { GraphBuilder } from '../../model-store/build/graph/graph-builder.ts';
import { emitGroupNorm } from '../../model-store/build/graph/group-norm.ts';
import type { GroupNorm } from '../../model-store/build/graph/network.ts';
import { emitGroupNormOfRows } from '../../model-store/build/quantize/group-norm-of-rows.ts';
import { encodeOnnxModel } from '../../model-store/onnx/encode.ts';
import type { BenchSuite } from './suite.ts';

/** Channels and edge in px of feature maps of BiT-R50x1 at 224 px. */
const SHAPES = [
  [64, 56],
  [256, 14],
  [512, 7],
] as const;
const GROUPS = 32;
/** Independent copies in one graph, so that the cost of a call does not count. */
const COPIES = 6;
/** Runs that are timed as one: the clock of CPU time is coarse. */
const RUNS_A_SAMPLE = 25;

/**
 * Adds one form; `x` is float32, [batch, channels, edge, edge] or the same number of values in rows; returns the value
 * to quantize.
 */
type Form = (graph: GraphBuilder, x: string, channels: number, edge: number) => string;

const ramp = (count: number, from: number, to: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => from + ((to - from) * ((i * 7) % count)) / count);

function norm(x: string, channels: number): GroupNorm {
  return {
    name: `${x}.norm`,
    groups: GROUPS,
    weight: ramp(channels, 0.5, 1.5),
    bias: ramp(channels, -1, 1),
    activation: null,
  };
}

function affine(graph: GraphBuilder, value: string, x: string, channels: number): string {
  const product = graph.node('Mul', `${x}.product`, [
    value,
    graph.float32(`${x}.weight`, [channels, 1, 1], ramp(channels, 0.5, 1.5)),
  ]);
  return graph.node('Add', `${x}.sum`, [product, graph.float32(`${x}.bias`, [channels, 1, 1], ramp(channels, -1, 1))]);
}

function ungroup(graph: GraphBuilder, value: string, x: string, channels: number, edge: number): string {
  return graph.node('Reshape', `${x}.ungrouped`, [value, graph.int64('ungrouped', [-1, channels, edge, edge])]);
}

function group(graph: GraphBuilder, value: string, x: string): string {
  return graph.node('Reshape', `${x}.grouped`, [value, graph.int64('grouped', [0, GROUPS, -1])]);
}

const FORMS: Readonly<Record<string, Form>> = {
  'QuantizeLinear alone': (_graph, x) => x,
  'GroupNormalization (a function: decomposed by onnxruntime)': (graph, x, channels) => {
    const weight = graph.float32(`${x}.weight`, [channels], ramp(channels, 0.5, 1.5));
    const bias = graph.float32(`${x}.bias`, [channels], ramp(channels, -1, 1));
    return graph.node('GroupNormalization', `${x}.norm`, [x, weight, bias], {
      attributes: { num_groups: GROUPS },
    });
  },
  'LayerNormalization by group, Mul, Add': (graph, x, channels, edge) => {
    const length = (channels / GROUPS) * edge * edge;
    const ones = graph.float32('ones', [length], new Float32Array(length).fill(1));
    const grouped = group(graph, x, x);
    const normalized = graph.node('LayerNormalization', `${x}.norm`, [grouped, ones]);
    return affine(graph, ungroup(graph, normalized, x, channels, edge), x, channels);
  },
  'InstanceNormalization by group, Mul, Add': (graph, x, channels, edge) => {
    const ones = graph.float32('ones', [GROUPS], new Float32Array(GROUPS).fill(1));
    const zeros = graph.float32('zeros', [GROUPS], new Float32Array(GROUPS));
    const grouped = group(graph, x, x);
    const normalized = graph.node('InstanceNormalization', `${x}.norm`, [grouped, ones, zeros]);
    return affine(graph, ungroup(graph, normalized, x, channels, edge), x, channels);
  },
  'ReduceMean of values and squares, Mul, Add': (graph, x, channels, edge) => {
    const grouped = group(graph, x, x);
    const axis = graph.int64('axis', [2]);
    const mean = graph.node('ReduceMean', `${x}.mean`, [grouped, axis]);
    const centred = graph.node('Sub', `${x}.centred`, [grouped, mean]);
    const variance = graph.node('ReduceMean', `${x}.variance`, [
      graph.node('Mul', `${x}.squares`, [centred, centred]),
      axis,
    ]);
    const deviation = graph.node('Sqrt', `${x}.deviation`, [
      graph.node('Add', `${x}.stabilized`, [variance, graph.float32('epsilon', [], [1e-5])]),
    ]);
    const normalized = graph.node('Div', `${x}.norm`, [centred, deviation]);
    return affine(graph, ungroup(graph, normalized, x, channels, edge), x, channels);
  },
  'GlobalAveragePool of values and squares, BatchNormalization (ours, fp32)': (graph, x, channels, edge) => {
    const input = { name: x, channels, size: { height: edge, width: edge } };
    return emitGroupNorm(graph, (...constant) => graph.float32(...constant), input, norm(x, channels));
  },
  'rows: averages as matrix products, Mul, Add (ours, int8)': (graph, x, channels, edge) => {
    const rows = graph.node('Reshape', `${x}.rows`, [x, graph.int64('rows', [-1, edge * edge, channels])]);
    return emitGroupNormOfRows(graph, rows, { channels, size: { height: edge, width: edge } }, norm(x, channels));
  },
};

/** Least CPU time of one run in ms: of this process alone, whatever else the machine does. */
async function time(form: Form | null, channels: number, edge: number, samples: number): Promise<number> {
  const graph = new GraphBuilder();
  const names = Array.from({ length: COPIES }, (_, copy) => `x${copy}`);
  const shape = ['batch', channels, edge, edge];
  const outputs = names.map((x) => {
    const one = [graph.int64('zero', [0]), graph.int64('one', [1]), graph.int64('axis_1', [1])];
    if (form === null) return graph.node('Slice', `${x}.slice`, [x, ...one]);
    const step = [graph.float32('step', [], [0.02]), graph.uint8('zero_point', [], [0])];
    const quantized = graph.node('QuantizeLinear', `${x}.quantized`, [form(graph, x, channels, edge), ...step]);
    const flat = graph.node('Reshape', `${x}.flat`, [quantized, graph.int64('planes', [-1, channels, edge, edge])]);
    return graph.node('Slice', `${x}.slice`, [flat, ...one]);
  });
  const dtype = form === null ? 'float32' : 'uint8';
  const model = graph.finish(
    'bench',
    names.map((name) => ({ name, dtype: 'float32', shape })),
    outputs.map((name) => ({ name, dtype, shape: ['batch', 1, edge, edge] })),
  );
  const session = await ort.InferenceSession.create(encodeOnnxModel(model, null).model, {
    executionProviders: ['wasm'],
  });
  const values = ramp(channels * edge * edge, -2, 2);
  const feeds = Object.fromEntries(
    names.map((name) => [name, new ort.Tensor('float32', values, [1, channels, edge, edge])]),
  );
  let least = Number.POSITIVE_INFINITY;
  // One sample more, which is not counted: V8 compiles meanwhile.
  for (let sample = 0; sample <= samples; sample++) {
    const before = process.cpuUsage().user;
    for (let run = 0; run < RUNS_A_SAMPLE; run++) await session.run(feeds);
    if (sample > 0) least = Math.min(least, (process.cpuUsage().user - before) / 1000 / RUNS_A_SAMPLE);
  }
  await session.release();
  return least;
}

/** `npm run bench -- group-norm`. */
export const GROUP_NORM_SUITE: BenchSuite = {
  async run({ runs, only, print }) {
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    const columns = SHAPES.map(([channels, edge]) => `${channels} x ${edge} x ${edge}`);
    print(`| ns an element | ${columns.join(' | ')} |`);
    print(`|---|${'---:|'.repeat(SHAPES.length)}`);
    const baselines: number[] = [];
    for (const [channels, edge] of SHAPES) baselines.push(await time(null, channels, edge, runs));
    const results: Record<string, number[]> = {};
    for (const [name, form] of Object.entries(FORMS).filter(([name]) => name.includes(only))) {
      const cells: number[] = [];
      for (const [index, [channels, edge]] of SHAPES.entries()) {
        const ms = (await time(form, channels, edge, runs)) - baselines[index]!;
        cells.push((ms * 1e6) / (COPIES * channels * edge * edge));
      }
      results[name] = cells;
      print(`| ${name} | ${cells.map((cell) => cell.toFixed(2)).join(' | ')} |`);
    }
    return results;
  },
};
