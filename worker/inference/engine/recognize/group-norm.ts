/** The group norm of rows, as model-store/build/quantize/group-norm-of-rows.ts emits it. */
import type { OnnxNode } from '../../../../model-store/onnx/onnx-model.ts';
import { type Meaning, type NormDraft, positionsOf } from './drafts.ts';
import type { GraphReader } from './graph-reader.ts';
import type { Meanings } from './meanings.ts';
import { contradiction, NotRecognized } from './reasons.ts';

/**
 * The group norm that a `Reshape` completes.
 * @throws NotRecognized where the nodes before it are not exactly those of a group norm; ModelError `model_corrupt`.
 */
export function recognizeGroupNorm(reader: GraphReader, meanings: Meanings, last: OnnxNode): Meaning {
  const node = (name: string, opType: string): OnnxNode => reader.producer(name, opType, 2);
  const shifted = node(last.inputs[0]!, 'Add');
  const scaled = node(shifted.inputs[0]!, 'Mul');
  const offsets = node(shifted.inputs[1]!, 'Sub');
  const runs = node(scaled.inputs[0]!, 'Reshape');
  const factors = node(scaled.inputs[1]!, 'Mul');
  const shift = node(offsets.inputs[1]!, 'Mul');
  const inverse = node(factors.inputs[0]!, 'Pow');
  const stabilized = node(inverse.inputs[0]!, 'Max');
  const sum = node(stabilized.inputs[0]!, 'Add');
  const variance = node(sum.inputs[0]!, 'Sub');
  const square = node(variance.inputs[0]!, 'MatMul');
  const meanSquared = node(variance.inputs[1]!, 'Mul');
  const squares = node(square.inputs[1]!, 'Mul');
  const mean = node(meanSquared.inputs[0]!, 'MatMul');
  const grouped = node(mean.inputs[1]!, 'Reshape');

  const same = (...names: readonly (string | undefined)[]): void => {
    if (names.some((name) => name !== names[0])) throw new NotRecognized('pattern', `group norm "${last.name}"`);
  };
  same(mean.outputs[0], meanSquared.inputs[0], meanSquared.inputs[1], shift.inputs[0]);
  same(factors.outputs[0], shift.inputs[1]);
  same(grouped.outputs[0], squares.inputs[0], squares.inputs[1]);
  same(grouped.inputs[0], runs.inputs[0]);
  same(mean.inputs[0], square.inputs[0]);
  same(sum.inputs[1], stabilized.inputs[1]);

  const input = meanings.rowsOf(grouped.inputs[0]!);
  const { channels } = input;
  const positions = positionsOf(input);
  const [batch, one, count, groups] = reader.int64s(grouped.inputs[1]!);
  if (batch !== -1 || one !== 1 || groups === undefined || groups < 1 || channels % groups !== 0) {
    throw new NotRecognized('pattern', `group norm "${last.name}"`);
  }
  const perGroup = channels / groups;
  if (count !== positions * perGroup) throw contradiction(`"${grouped.name}" has ${count} values in a group`);
  meanings.setGroups(groups);
  if (meanings.averageOf(mean.inputs[0]!) !== count) throw contradiction(`"${mean.name}" averages another count`);
  if (reader.scalar(inverse.inputs[1]!, 'float32') !== -0.5) throw new NotRecognized('pattern', `"${inverse.name}"`);
  const epsilon = reader.scalar(sum.inputs[1]!, 'float32');
  if (!(epsilon > 0) || !Number.isFinite(epsilon)) throw contradiction(`epsilon of "${last.name}" is ${epsilon}`);

  const [, spans, run] = expectShape(reader, runs, [-1, null, null, groups]);
  if (spans! * run! !== positions * perGroup || run! % perGroup !== 0) {
    throw contradiction(`"${runs.name}" has ${spans} runs of ${run}`);
  }
  expectShape(reader, last, [-1, positions, channels]);
  const parameter = { kind: 'repeated', period: channels } as const;
  const norm: NormDraft = {
    kind: 'norm',
    name: last.name,
    input,
    gamma: reader.tensor(factors.inputs[1]!, 'float32', [run!, groups], parameter),
    beta: reader.tensor(offsets.inputs[0]!, 'float32', [run!, groups], parameter),
    epsilon,
    residual: null,
    activation: null,
    float: null,
    quantized: null,
  };
  return { kind: 'norm', norm, rectified: false };
}

/** The shape that a `Reshape` gives; null stands for any size. @throws NotRecognized. */
function expectShape(reader: GraphReader, node: OnnxNode, expected: readonly (number | null)[]): number[] {
  const shape = reader.int64s(node.inputs[1]!);
  const matches =
    shape.length === expected.length &&
    expected.every((size, axis) => (size === null ? shape[axis]! > 0 : shape[axis] === size));
  if (!matches) throw new NotRecognized('pattern', `"${node.name}" to [${shape}]`);
  return shape;
}
