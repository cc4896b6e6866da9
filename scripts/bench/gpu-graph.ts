/** A graph for the GPU backend: `image` UINT8 [N,H,W,3] in, rescaled and normalised (mean and deviation 0.5) inside. */
import type { Checkpoint } from '../../model-store/checkpoint/checkpoint.ts';
import { type BuiltGraph, buildBitGraph } from '../../model-store/graph/build.ts';
import type { SpatialSize } from '../../model-store/graph/padding.ts';
import { decodeOnnxModel } from '../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../model-store/onnx/encode.ts';
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor } from '../../model-store/onnx/onnx-model.ts';

/** Builds the graph in float32, with its large weights in an external file of the name given. */
export function buildGpuGraph(checkpoint: Checkpoint, inputSize: SpatialSize, externalWeights: string): BuiltGraph {
  const graph = buildBitGraph(checkpoint, { inputSize, externalWeights: null });
  const shape = ['batch', inputSize.height, inputSize.width, 3];
  const input = { name: 'image', dtype: 'uint8', shape } as const;
  const model = withImageInput(decodeOnnxModel(graph.model), input);
  return { ...graph, ...encodeOnnxModel(model, externalWeights), inputs: [input] };
}

function withImageInput(model: OnnxModel, input: OnnxModel['inputs'][number]): OnnxModel {
  const pixelValues = model.inputs[0]!.name;
  const nodes = [
    node('Cast', ['image'], 'image/float', { to: { kind: 'int', value: 1 } }),
    node('Transpose', ['image/float'], 'image/nchw', { perm: { kind: 'ints', value: [0, 3, 1, 2] } }),
    node('Mul', ['image/nchw', 'image/scale'], 'image/scaled'),
    node('Sub', ['image/scaled', 'image/one'], pixelValues),
  ];
  const initializers = [...model.initializers, scalar('image/scale', 2 / 255), scalar('image/one', 1)];
  return { ...model, inputs: [input], nodes: [...nodes, ...model.nodes], initializers };
}

function node(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): OnnxNode {
  return { name: `image/${opType}`, opType, domain: '', inputs, outputs: [output], attributes };
}

function scalar(name: string, value: number): OnnxTensor {
  return { name, dtype: 'float32', shape: [], data: new Uint8Array(Float32Array.of(value).buffer) };
}
