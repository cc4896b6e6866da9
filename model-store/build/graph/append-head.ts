/** A backbone's graph with a head on it: one ONNX model, pixel values in, the head's logits out. Pure. */
import { ModelError } from '../../../worker/errors.ts';
import type { OnnxModel, OnnxNode, OnnxTensor } from '../../onnx/onnx-model.ts';
import { bytesOf } from './graph-builder.ts';

const POOLED = 'pooler_output';
const LOGITS = 'logits';

/** Numbers of a head, as `worker/heads/math/head-model.ts` has them. */
export interface GraphHead {
  readonly classes: readonly string[];
  readonly dimensions: number;
  readonly features: {
    readonly kind: 'l2' | 'standardize' | 'none';
    readonly mean: Float32Array | null;
    readonly deviation: Float32Array | null;
  };
  /** `[classes, dimensions]`. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly unknown: { readonly means: Float32Array; readonly threshold: number; readonly slope: number } | null;
}

/**
 * Appends a head. The backbone's own logits are dropped with what only they need.
 * @throws ModelError `unsupported_output` where the backbone gives no pooled features.
 */
export function appendHead(backbone: OnnxModel, head: GraphHead): OnnxModel {
  if (!backbone.outputs.some(({ name }) => name === POOLED)) {
    throw new ModelError('unsupported_output', `the graph gives no "${POOLED}"`);
  }
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const add = (opType: string, name: string, inputs: string[], attributes: OnnxNode['attributes'] = {}): string => {
    nodes.push({ name: `head.${name}`, opType, domain: '', inputs, outputs: [`head.${name}`], attributes });
    return `head.${name}`;
  };
  const floats = (name: string, shape: number[], values: Float32Array): string => {
    constants.push({ name: `head.${name}`, dtype: 'float32', shape, data: bytesOf(Float32Array.from(values)) });
    return `head.${name}`;
  };
  const integers = (name: string, values: number[]): string => {
    const data = bytesOf(BigInt64Array.from(values, BigInt));
    constants.push({ name: `head.${name}`, dtype: 'int64', shape: [values.length], data });
    return `head.${name}`;
  };
  const { classes, dimensions, features, unknown } = head;
  const flat = add('Reshape', 'flat', [POOLED, integers('shape', [-1, dimensions])]);
  const axis = integers('axis', [1]);
  const lengthOf = (name: string, value: string): string => {
    const length = add('ReduceL2', `${name}.length`, [value, axis]);
    // A vector of zeros stays one.
    return add('Max', `${name}.divisor`, [length, floats(`${name}.tiny`, [1], Float32Array.of(1e-30))]);
  };
  let x = flat;
  if (features.kind === 'l2') x = add('Div', 'features', [flat, lengthOf('features', flat)]);
  if (features.mean !== null && features.deviation !== null) {
    const centred = add('Sub', 'centred', [flat, floats('mean', [dimensions], features.mean)]);
    x = add('Div', 'features', [centred, floats('deviation', [dimensions], features.deviation)]);
  }
  const transposed = { transB: { kind: 'int', value: 1 } } as const;
  const weight = floats('weight', [classes.length, dimensions], head.weight);
  const scores = add('Gemm', 'scores', [x, weight, floats('bias', [classes.length], head.bias)], transposed);
  let logits = scores;
  if (unknown !== null) {
    const means = floats('means', [classes.length, dimensions], unknown.means);
    const cosines = add('Div', 'cosines', [add('Gemm', 'products', [x, means], transposed), lengthOf('novelty', x)]);
    const nearest = add('ReduceMax', 'nearest', [cosines, axis]);
    // slope (1 - cosine - threshold) = (1 - threshold - cosine) slope
    const room = floats('room', [1], Float32Array.of(1 - unknown.threshold));
    const beyond = add('Sub', 'beyond', [room, nearest]);
    const rise = add('Mul', 'rise', [beyond, floats('slope', [1], Float32Array.of(unknown.slope))]);
    const last = add('Add', 'unknown', [add('ReduceMax', 'best', [scores, axis]), rise]);
    logits = add('Concat', 'all', [scores, last], { axis: { kind: 'int', value: 1 } });
  }
  nodes.push({
    name: LOGITS,
    opType: 'Identity',
    domain: '',
    inputs: [logits],
    outputs: [LOGITS],
    attributes: {},
  });
  const kept = withoutLogits(backbone);
  const labels = classes.length + (unknown === null ? 0 : 1);
  const batch = backbone.outputs.find(({ name }) => name === POOLED)!.shape[0]!;
  return {
    ...kept,
    nodes: [...kept.nodes, ...nodes],
    initializers: [...kept.initializers, ...constants],
    outputs: [
      { name: LOGITS, dtype: 'float32', shape: [batch, labels] },
      ...kept.outputs.filter(({ name }) => name !== LOGITS),
    ],
  };
}

/** The graph without what only its logits need. */
function withoutLogits(model: OnnxModel): OnnxModel {
  const outputs = model.outputs.filter(({ name }) => name !== LOGITS);
  const needed = new Set(outputs.map(({ name }) => name));
  const nodes: OnnxNode[] = [];
  for (const node of model.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const input of node.inputs) needed.add(input);
  }
  return {
    ...model,
    outputs,
    nodes: nodes.toReversed(),
    initializers: model.initializers.filter(({ name }) => needed.has(name)),
  };
}
