/**
 * Group norm of rows as the ONNX nodes that onnxruntime-web runs fastest (docs/bench/group-norm.md has the table).
 * Pure, no I/O.
 *
 * Of WASM's reductions only the product of a row and a matrix is vectorized. Channels of one group lie `groups` apart
 * (`channel-order.ts`), so that the row of averages times all values, `groups` in a row, is every group's mean at once;
 * the same of the squares gives the variance. What is left is a factor and an offset for each channel.
 */
import type { GraphBuilder } from '../graph/graph-builder.ts';
import { GROUP_NORM_EPSILON, type GroupNorm } from '../graph/network.ts';
import { groupMinorOrder } from './channel-order.ts';
import { averageRow, emitReshape, type FixedMap, positionsOf } from './rows.ts';

/** Broadcasting has a price for each run of equal length: up to this many values, several positions share one. */
const MAX_RUN_LENGTH = 512;

/**
 * Emits the group norm of rows whose channels are in the graph's order.
 * @returns the name of the result, float32 [N, positions, channels], before any activation.
 */
export function emitGroupNormOfRows(graph: GraphBuilder, rows: string, map: FixedMap, norm: GroupNorm): string {
  const { name, groups } = norm;
  const { channels } = map;
  const positions = positionsOf(map);
  const perGroup = channels / groups;
  const count = positions * perGroup;
  const grouped = emitReshape(graph, `${name}.grouped`, rows, [-1, 1, count, groups]);
  const average = averageRow(graph, count);
  const mean = graph.node('MatMul', `${name}.mean`, [average, grouped]);
  const squares = graph.node('Mul', `${name}.squares`, [grouped, grouped]);
  const square = graph.node('MatMul', `${name}.square`, [average, squares]);
  const variance = graph.node('Sub', `${name}.variance`, [
    square,
    graph.node('Mul', `${name}.mean_squared`, [mean, mean]),
  ]);
  const epsilon = graph.float32('epsilon', [], [GROUP_NORM_EPSILON]);
  // The difference of two roundings may lie below zero where a group is constant.
  const stabilized = graph.node('Max', `${name}.stabilized`, [
    graph.node('Add', `${name}.sum`, [variance, epsilon]),
    epsilon,
  ]);
  const inverse = graph.node('Pow', `${name}.inverse`, [stabilized, graph.float32('minus_half', [], [-0.5])]);

  const order = groupMinorOrder(channels, groups);
  const sharing = positionsInRun(positions, channels);
  const parameter = (hint: string, values: Float32Array): string => {
    const repeated = Float32Array.from({ length: sharing * channels }, (_, i) => values[order[i % channels]!]!);
    return graph.float32(`${name}.${hint}`, [sharing * perGroup, groups], repeated);
  };
  const factors = graph.node('Mul', `${name}.factors`, [inverse, parameter('weight', norm.weight)]);
  const offsets = graph.node('Sub', `${name}.offsets`, [
    parameter('bias', norm.bias),
    graph.node('Mul', `${name}.shift`, [mean, factors]),
  ]);
  const runs = emitReshape(graph, `${name}.runs`, rows, [-1, positions / sharing, sharing * perGroup, groups]);
  const scaled = graph.node('Mul', `${name}.scaled`, [runs, factors]);
  const shifted = graph.node('Add', `${name}.shifted`, [scaled, offsets]);
  return emitReshape(graph, name, shifted, [-1, positions, channels]);
}

/** How many positions share one run: a power of two that divides them. */
function positionsInRun(positions: number, channels: number): number {
  let sharing = 1;
  while (positions % (2 * sharing) === 0 && 2 * sharing * channels <= MAX_RUN_LENGTH) sharing *= 2;
  return sharing;
}
