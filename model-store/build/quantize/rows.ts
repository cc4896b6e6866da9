/**
 * Feature maps as rows, [N, positions, channels]: the form in which a convolution is a matrix product, and back to
 * planes, [N, channels, height, width]. Pure, no I/O.
 */
import type { GraphBuilder } from '../graph/graph-builder.ts';
import type { FeatureMap } from '../graph/network.ts';
import type { SpatialSize } from '../graph/padding.ts';

/** A feature map of an int8 graph: its size is fixed. */
export interface FixedMap extends FeatureMap {
  readonly size: SpatialSize;
}

/** How many rows a feature map has. */
export function positionsOf({ size }: FixedMap): number {
  return size.height * size.width;
}

/** Emits planes as rows; returns their name. */
export function emitRows(graph: GraphBuilder, planes: string, map: FixedMap): string {
  const positions = positionsOf(map);
  const flat = emitReshape(graph, `${planes}.flat`, planes, [-1, map.channels, positions]);
  return graph.node('Transpose', `${planes}.rows`, [flat], { attributes: { perm: [0, 2, 1] } });
}

/** Emits rows as planes; returns their name. */
export function emitPlanes(graph: GraphBuilder, rows: string, { channels, size }: FixedMap): string {
  const flat = graph.node('Transpose', `${rows}.flat`, [rows], { attributes: { perm: [0, 2, 1] } });
  return emitReshape(graph, `${rows}.planes`, flat, [-1, channels, size.height, size.width]);
}

/** Emits planes whose channels are in the graph's order (`channel-order.ts`) as planes in the checkpoint's. */
export function emitCheckpointOrder(graph: GraphBuilder, planes: string, map: FixedMap, groups: number): string {
  const { channels, size } = map;
  const perGroup = channels / groups;
  const grouped = emitReshape(graph, `${planes}.grouped`, planes, [-1, perGroup, groups, positionsOf(map)]);
  const transposed = graph.node('Transpose', `${planes}.transposed`, [grouped], { attributes: { perm: [0, 2, 1, 3] } });
  return emitReshape(graph, `${planes}.nchw`, transposed, [-1, channels, size.height, size.width]);
}

/**
 * Emits a `Reshape`; the first dimension, -1, is what is left over: the batch. Not 0, which says the same: where
 * onnxruntime can infer every shape it keeps buffers for later values of the same size, 14 MiB more for R50x1.
 */
export function emitReshape(graph: GraphBuilder, hint: string, value: string, shape: readonly number[]): string {
  return graph.node('Reshape', hint, [value, graph.int64(`shape_${shape.join('_')}`, shape)]);
}

/** A row that averages `count` values: float32 [1, count]. */
export function averageRow(graph: GraphBuilder, count: number): string {
  return graph.shared(`average_${count}`, (hint) =>
    graph.node('Expand', hint, [
      graph.float32(`share_${count}`, [], [1 / count]),
      graph.int64(`shape_1_${count}`, [1, count]),
    ]),
  );
}
