/** Turns a float16 graph into the same graph in float32, for devices that have no float16 arithmetic or a slow one. Pure. */
import { float16ToFloat32 } from '../float-formats.ts';
import { ONNX_DTYPE, type OnnxModel, type OnnxNode, type OnnxTensor } from './onnx-model.ts';

/**
 * Widens weights, and casts to float16, to float32; values stay what float16 made of them. The other way round would not be
 * safe: constants too small for float16 would become 0.
 * @returns null where there is nothing to widen: no float16 weight, or an input or output that is float16 itself.
 */
export function widenToFloat32(model: OnnxModel): OnnxModel | null {
  const isHalf = ({ dtype }: { readonly dtype: string }) => dtype === 'float16';
  if (!model.initializers.some(isHalf) || [...model.inputs, ...model.outputs].some(isHalf)) return null;
  return { ...model, nodes: model.nodes.map(widenNode), initializers: model.initializers.map(widenTensor) };
}

function widenTensor(tensor: OnnxTensor): OnnxTensor {
  if (tensor.dtype !== 'float16') return tensor;
  // A copy first: the data may begin at an odd byte of a file.
  const values = float16ToFloat32(new Uint16Array(new Uint8Array(tensor.data).buffer));
  return { ...tensor, dtype: 'float32', data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

function widenNode(node: OnnxNode): OnnxNode {
  const to = node.attributes.to;
  if (node.opType !== 'Cast' || to?.kind !== 'int' || to.value !== ONNX_DTYPE.float16) return node;
  return { ...node, attributes: { ...node.attributes, to: { kind: 'int', value: ONNX_DTYPE.float32 } } };
}
