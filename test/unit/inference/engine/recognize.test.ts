/** What the engine runs, what it leaves to onnxruntime and why, and what it refuses. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { buildBitGraph } from '../../../../model-store/build/graph/build.ts';
import type { Int8Graph } from '../../../../model-store/build/quantize/build-int8.ts';
import { decodeOnnxModel } from '../../../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../../../model-store/onnx/encode.ts';
import type { OnnxModel, OnnxNode, OnnxTensor } from '../../../../model-store/onnx/onnx-model.ts';
import { compileWasm } from '../../../../scripts/cli/local-model.ts';
import { startEngineSession } from '../../../../worker/inference/engine/engine-session.ts';
import { planMemory } from '../../../../worker/inference/engine/memory-plan.ts';
import { OTHER_REASONS } from '../../../../worker/inference/engine/recognize/reasons.ts';
import { recognize } from '../../../../worker/inference/engine/recognize.ts';
import { fixtureCheckpoint } from '../../model-store/build/graph/fixture.ts';
import { engineSession, int8Graph, type NetworkCase, networkOf } from './engine-networks.ts';

vi.setConfig({ testTimeout: 60_000 });

const SIZE = { height: 64, width: 64 };
const FILE = 'weights.bin';

function recognizeGraph({ model, weights }: Pick<Int8Graph, 'model' | 'weights'>) {
  return recognize(model, weights && { path: FILE, bytes: weights.byteLength });
}

let graph: Int8Graph;
let decoded: OnnxModel;

beforeAll(async () => {
  graph = await int8Graph({ network: 'default', size: SIZE, outputs: ['logits', 'stage1'] });
  decoded = decodeOnnxModel(graph.model, new Map([[FILE, graph.weights!]]));
});

/** The graph with something else in it. */
function changed(change: Partial<OnnxModel>): Pick<Int8Graph, 'model' | 'weights'> {
  return encodeOnnxModel({ ...decoded, ...change }, FILE);
}

function changedNode(name: string, change: Partial<OnnxNode>): Pick<Int8Graph, 'model' | 'weights'> {
  expect(decoded.nodes.filter((node) => node.name === name)).toHaveLength(1);
  return changed({ nodes: decoded.nodes.map((node) => (node.name === name ? { ...node, ...change } : node)) });
}

function changedConstant(name: string, change: (tensor: OnnxTensor) => Partial<OnnxTensor>) {
  expect(decoded.initializers.filter((tensor) => tensor.name === name)).toHaveLength(1);
  const initializers = decoded.initializers.map((tensor) =>
    tensor.name === name ? { ...tensor, ...change(tensor) } : tensor,
  );
  return changed({ initializers });
}

test('a graph that was decoded and encoded again is still the same network', () => {
  expect(networkOf(changed({}))).toMatchObject({ groups: 8, macs: graph.macs, weightsFile: FILE });
});

describe('runs in the engine', () => {
  test.each<readonly [string, Partial<NetworkCase>]>([
    ['the default form', {}],
    ['SAME padding and a dynamic pool', { network: 'same-dynamic' }],
    ['an output stride', { network: 'stride16' }],
    ['grey images', { network: 'width2-gray' }],
    ['no head', { network: 'features-only', outputs: ['pooler_output'] }],
    ['an output that needs no head', { outputs: ['pooler_output'] }],
    ['odd sizes', { size: { height: 75, width: 51 } }],
  ])('%s', async (_what, options) => {
    const built = await int8Graph({ network: 'default', size: SIZE, ...options });
    expect(recognizeGraph(built)).toMatchObject({ kind: 'int8', network: { input: { ...(options.size ?? SIZE) } } });
  });

  test('with a shortcut that comes last, on top of what it is added to', () => {
    const names = networkOf(graph).steps.map(({ name }) => name);
    expect(names.indexOf('s0.0.downsample.conv')).toBe(names.indexOf('s0.0.conv3') + 1);
  });
});

test('docs/model-store.md has every reason for which onnxruntime runs a version, and no other', async () => {
  const page = await readFile('docs/model-store.md', 'utf8');
  const rows = page.split('\n').filter((line) => /\| onnxruntime +\|/.test(line));
  const named = rows.flatMap((row) =>
    [
      ...row
        .split('|')
        .at(-2)!
        .matchAll(/`(\w+)`/g),
    ].map(([, name]) => name),
  );
  expect(named.sort()).toEqual([...OTHER_REASONS, 'configured'].sort());
});

describe('is left to onnxruntime, by name', () => {
  test.each<readonly [string, string, Partial<NetworkCase>]>([
    ['gelu', 'activation', { config: { hiddenAct: 'gelu' } }],
    ['silu', 'activation', { config: { hiddenAct: 'silu' } }],
    ['bottleneck layers', 'layer_type', { network: 'bottleneck' }],
    ['a stem in float32', 'float_layer', { floatLayers: new Set(['bit.embedder.convolution']) }],
    ['a convolution in float32', 'float_layer', { floatLayers: new Set(['bit.encoder.stages.1.layers.0.conv2']) }],
    ['a head in float32', 'float_layer', { floatLayers: new Set(['classifier.1']) }],
    ['two groups', 'groups', { config: { numGroups: 2 } }],
  ])('%s: %s', async (_what, reason, options) => {
    const built = await int8Graph({ network: 'default', size: SIZE, ...options });
    expect(recognizeGraph(built)).toMatchObject({ kind: 'other', reason });
  });

  test('a graph in float32: not_int8', async () => {
    const built = buildBitGraph(await fixtureCheckpoint('default'), { inputSize: SIZE, externalWeights: FILE });
    expect(recognizeGraph({ model: built.model, weights: built.weights })).toMatchObject({ reason: 'not_int8' });
  });

  test.each<readonly [string, string, () => Pick<Int8Graph, 'model' | 'weights'>]>([
    ['bytes that are no ONNX', 'unreadable', () => ({ model: new TextEncoder().encode('nothing'), weights: null })],
    ['another opset', 'opset', () => changed({ opsets: { '': 20, 'com.microsoft': 1 } })],
    [
      'a free size',
      'free_size',
      () => changed({ inputs: [{ ...decoded.inputs[0]!, shape: ['batch', 3, 'height', 64] }] }),
    ],
    ['another type of input', 'input', () => changed({ inputs: [{ ...decoded.inputs[0]!, dtype: 'uint8' }] })],
    ['a huge image', 'size', () => changed({ inputs: [{ ...decoded.inputs[0]!, shape: ['batch', 3, 64, 1e9] }] })],
    ['an operator it does not know', 'operator', () => changedNode('pooler', { opType: 'Einsum' })],
    [
      'an attribute it does not know',
      'pattern',
      () => changedNode('logits', { attributes: { alpha: { kind: 'float', value: 1 } } }),
    ],
    ['another power than the root', 'pattern', () => changedConstant('minus_half', () => ({ data: bytes(-1) }))],
    ['windows without a name', 'pattern', () => renamed('windows_16x16_3_1_1_1_1_1_1', 'windows')],
    ['a node that nothing reads', 'pattern', () => changed({ nodes: [...decoded.nodes, strayNode()] })],
  ])('%s: %s', (_what, reason, build) => {
    expect(recognizeGraph(build())).toMatchObject({ kind: 'other', reason });
  });
});

describe('is refused as corrupt', () => {
  test.each<readonly [string, RegExp, () => Pick<Int8Graph, 'model' | 'weights'>]>([
    ['a scale of zero', /scale .* is 0/, () => changedScale(0)],
    ["a scale that is not the values' own", /reads scale/, () => changedProductScale()],
    [
      'a group that averages another count',
      /does not average|averages another/,
      () => changedConstant('share_1024', () => ({ data: bytes(1 / 512) })),
    ],
    ["a zero point beside the padding's", /pads with/, () => changedPadding()],
    [
      'weights of another shape',
      /where .* follows/,
      () => changedConstant('s0.0.conv1.weight', ({ shape }) => ({ shape: [shape[0]! * 2, shape[1]! / 2] })),
    ],
    [
      'an output of another shape',
      /output "stage1" is declared/,
      () =>
        changed({
          outputs: decoded.outputs.map((output) =>
            output.name === 'stage1' ? { ...output, shape: ['batch', 32, 8, 8] } : output,
          ),
        }),
    ],
    ['a value that is made twice', /is there twice/, () => changed({ nodes: [...decoded.nodes, decoded.nodes[3]!] })],
    ['a node before its inputs', /no node before/, () => changed({ nodes: [...decoded.nodes].reverse() })],
    [
      'windows of another map',
      /another place for outside/,
      () => renamed('windows_16x16_3_1_1_1_1_1_1', 'windows_16x12_3_1_1_1_1_1_1'),
    ],
    ['an epsilon of zero', /epsilon/, () => changedConstant('epsilon', () => ({ data: bytes(0) }))],
  ])('%s', (_what, message, build) => {
    expect(() => recognizeGraph(build())).toThrow(
      expect.objectContaining({ code: 'model_corrupt', message: expect.stringMatching(message) }),
    );
  });

  test('a weights file that is shorter than the graph says, or has another name', () => {
    const { byteLength } = graph.weights!;
    expect(() => recognize(graph.model, { path: FILE, bytes: byteLength - 1 })).toThrow(/ends at byte/);
    expect(() => recognize(graph.model, { path: 'other.bin', bytes: byteLength })).toThrow(/is in "weights.bin"/);
    expect(() => recognize(graph.model, null)).toThrow(/is in "weights.bin"/);
  });
});

describe('weights that are not what the graph says', () => {
  test.each([
    ['a scale below zero', 's0.0.conv1.scales', -1],
    ['a scale that is not a number', 's0.0.conv1.scales', Number.NaN],
    ['a weight of a norm that is not a number', 's0.0.norm1.weight', Number.POSITIVE_INFINITY],
    ['a norm whose parameters do not repeat', 's0.0.norm1.bias', 0.123],
    ['a pool that puts zeros elsewhere', 'embedder.pooler.zeros', 1],
  ])('%s', async (_what, name, value) => {
    const broken = changedConstant(name, ({ data }) => {
      const copy = Uint8Array.from(data);
      new DataView(copy.buffer).setFloat32(copy.byteLength - 4, value, true);
      return { data: copy };
    });
    await expect(engineSession(broken).then(() => 'loaded')).rejects.toMatchObject({ code: 'model_corrupt' });
  });

  test('a window that reads another pixel', async () => {
    const wide = await int8Graph({ network: 'default', size: { height: 128, width: 128 } });
    const model = decodeOnnxModel(wide.model, new Map([[FILE, wide.weights!]]));
    const initializers = model.initializers.map((tensor) => {
      if (tensor.name !== 'windows_32x32_3_1_1_1_1_1_1.columns') return tensor;
      const data = Uint8Array.from(tensor.data);
      data[40]! ^= 1;
      return { ...tensor, data };
    });
    const broken = encodeOnnxModel({ ...model, initializers }, FILE);
    await expect(engineSession(broken).then(() => 'loaded')).rejects.toMatchObject({
      code: 'model_corrupt',
      message: expect.stringContaining('number 10 of 96'),
    });
  });

  test('a file that ends early', async () => {
    const network = networkOf(graph);
    const { engine } = await compileWasm();
    const { weights, finish } = startEngineSession(engine, network, planMemory(network)!);
    weights.write(graph.weights!.subarray(0, -1));
    expect(finish).toThrow(
      expect.objectContaining({ code: 'model_corrupt', message: expect.stringMatching(/ends at byte/) }),
    );
    // The right one, from its beginning, is another matter.
    weights.restart();
    weights.write(graph.weights!);
    expect(finish().abortReason).toBeNull();
  });
});

function bytes(value: number): Uint8Array {
  return new Uint8Array(Float32Array.of(value).buffer);
}

function strayNode(): OnnxNode {
  return {
    name: 'stray',
    opType: 'Mul',
    domain: '',
    inputs: ['epsilon', 'epsilon'],
    outputs: ['stray'],
    attributes: {},
  };
}

function renamed(from: string, to: string): Pick<Int8Graph, 'model' | 'weights'> {
  const rename = (name: string): string => (name === from ? to : name);
  return changed({
    nodes: decoded.nodes.map((node) => ({
      ...node,
      name: rename(node.name),
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    })),
  });
}

/** The first activation's scale. */
function changedScale(value: number): Pick<Int8Graph, 'model' | 'weights'> {
  const node = decoded.nodes.find(({ name }) => name === 's0.0.norm1.activation.quantized')!;
  return changedConstant(node.inputs[1]!, () => ({ data: bytes(value) }));
}

/** A product that takes the scale of another one's rows. */
function changedProductScale(): Pick<Int8Graph, 'model' | 'weights'> {
  const product = decoded.nodes.find(({ name }) => name === 's0.0.conv1')!;
  const other = decoded.nodes.find(({ name }) => name === 's0.0.conv2')!;
  const inputs = product.inputs.map((input, index) => (index === 2 ? other.inputs[2]! : input));
  return changedNode('s0.0.conv1', { inputs });
}

function changedPadding(): Pick<Int8Graph, 'model' | 'weights'> {
  const pad = decoded.nodes.find(({ opType }) => opType === 'Pad')!;
  return changedNode(pad.name, { inputs: [pad.inputs[0]!, pad.inputs[1]!, 'zero_point_128'] });
}
