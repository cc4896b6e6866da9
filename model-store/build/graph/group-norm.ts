/**
 * Group norm as the ONNX nodes that onnxruntime-web runs fastest (docs/bench/group-norm.md has the table). Pure, no I/O.
 *
 * onnxruntime has no WASM kernel for GroupNormalization, and those for InstanceNormalization and the reductions are
 * scalar. Its pooling and its BatchNormalization are vectorized: so the mean and the mean square are global average
 * pools, and everything that is linear in a value - normalising, weight and bias - is one BatchNormalization whose
 * "running" statistics are those of this image. The batch is folded into the channels for that.
 */
import type { GraphBuilder } from './graph-builder.ts';
import type { FeatureMap, GroupNorm } from './network.ts';
import { GROUP_NORM_EPSILON } from './network.ts';

/** A named value of a feature map. */
interface NamedMap extends FeatureMap {
  readonly name: string;
}

/** Makes a constant in the graph's floating-point type. */
export type MakeConstant = (name: string, shape: readonly number[], values: Float32Array | readonly number[]) => string;

/**
 * Group norm of floats: the mean is taken off before the squares are summed, so that a mean far from zero costs no
 * digits.
 * @returns the name of the result, NCHW, before any activation.
 */
export function emitGroupNorm(graph: GraphBuilder, constant: MakeConstant, input: NamedMap, norm: GroupNorm): string {
  const { name, groups } = norm;
  const perGroup = norm.weight.length / groups;
  const grouped = graph.node('Reshape', `${name}.grouped`, [
    input.name,
    graph.int64(`by_group_${groups}`, [0, groups, -1]),
  ]);
  const mean = graph.node('GlobalAveragePool', `${name}.mean`, [grouped]);
  const centred = graph.node('Sub', `${name}.centred`, [grouped, mean]);
  const squared = graph.node('Mul', `${name}.squared`, [centred, centred]);
  const variance = graph.node('GlobalAveragePool', `${name}.variance`, [squared]);
  const spread = (value: number): string => {
    return constant(
      `spread_${value}_${groups}_${perGroup}`,
      [groups, perGroup],
      new Array<number>(groups * perGroup).fill(value),
    );
  };
  const means = graph.node('Mul', `${name}.means`, [variance, spread(0)]);
  const variances = graph.node('Mul', `${name}.variances`, [variance, spread(1)]);
  // Where the size is fixed, one reshape folds the batch as well.
  const ungrouped =
    input.size === null
      ? graph.node('Reshape', `${name}.ungrouped`, [centred, graph.node('Shape', `${name}.shape`, [input.name])])
      : centred;
  const weight = constant(`${name}.weight`, [groups, perGroup], norm.weight);
  return emitBatchNormalization(graph, constant, { ...input, name: ungrouped }, norm, means, variances, weight);
}

/**
 * (x - mean) * weight / sqrt(variance + epsilon) + bias, each of [batch, groups, channels of a group].
 * `input` is NCHW; where its size is fixed, anything that reshapes to it.
 */
function emitBatchNormalization(
  graph: GraphBuilder,
  constant: MakeConstant,
  input: NamedMap,
  norm: GroupNorm,
  means: string,
  variances: string,
  weight: string,
): string {
  const { name, groups } = norm;
  const channels = norm.weight.length;
  const shape = [groups, channels / groups];
  const flat = graph.int64('flat', [-1]);
  const statisticsShape = graph.node('Shape', `${name}.statistics_shape`, [variances]);
  const forEachImage = (parameter: string, hint: string): string => {
    const expanded = graph.node('Expand', `${name}.${hint}_expanded`, [parameter, statisticsShape]);
    return graph.node('Reshape', `${name}.${hint}_flat`, [expanded, flat]);
  };
  const { size } = input;
  const plane = size === null ? [0, 0] : [size.height, size.width];
  const folded = graph.node('Reshape', `${name}.folded`, [
    input.name,
    graph.int64(`folded_${plane.join('_')}`, [1, -1, ...plane]),
  ]);
  const normalized = graph.node(
    'BatchNormalization',
    `${name}.normalized`,
    [
      folded,
      forEachImage(weight, 'weight'),
      forEachImage(constant(`${name}.bias`, shape, norm.bias), 'bias'),
      graph.node('Reshape', `${name}.means_flat`, [means, flat]),
      graph.node('Reshape', `${name}.variances_flat`, [variances, flat]),
    ],
    { attributes: { epsilon: { float: GROUP_NORM_EPSILON } } },
  );
  return graph.node('Reshape', name, [
    normalized,
    graph.int64(`unfolded_${[channels, ...plane].join('_')}`, [-1, channels, ...plane]),
  ]);
}
