/**
 * Builds the ONNX files of a BiT network in floating point: `fp32` for WASM, `gpu` for the GPU backend. Pure, no I/O.
 */
import { ModelError } from '../../../worker/errors.ts';
import { lastChannels, planStages } from '../../bit-architecture.ts';
import type { BitConfig } from '../../bit-config.ts';
import type { TensorSpecification } from '../../manifest.ts';
import { encodeOnnxModel } from '../../onnx/encode.ts';
import type { OnnxValue } from '../../onnx/onnx-model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { FloatLayers, type FloatValue } from './float-layers.ts';
import { GraphBuilder } from './graph-builder.ts';
import { emitNetwork, outputNames } from './network.ts';
import type { SpatialSize } from './padding.ts';

/** What a graph is built with. */
export interface GraphOptions {
  /** Outputs by name, in any order; `outputNames` lists what a config has. The default is what a worker serves. */
  readonly outputs?: readonly string[];
  /** Height and width in px; null leaves them free. */
  readonly inputSize: SpatialSize | null;
  /** File name of the external weights; null keeps the weights in the model. */
  readonly externalWeights: string | null;
}

/** A built variant. */
export interface BuiltGraph {
  readonly model: Uint8Array;
  readonly weights: Uint8Array | null;
  readonly inputs: readonly TensorSpecification[];
  readonly outputs: readonly TensorSpecification[];
  /** Multiply-accumulates of one image; null where the input size is free. */
  readonly macs: number | null;
  readonly parameters: number;
}

/** The free first dimension of every input and output. */
export const BATCH = 'batch';

/** What a worker serves: labels and embedding from one run. */
export function defaultOutputs(config: BitConfig): string[] {
  return config.numLabels > 0 ? ['logits', 'pooler_output'] : ['pooler_output'];
}

/**
 * Checks requested outputs against a config; the result is in the order of the request.
 * @throws ModelError `unsupported_output`, naming what there is.
 */
export function checkOutputs(config: BitConfig, requested: readonly string[]): readonly string[] {
  const available = outputNames(config);
  for (const name of requested) {
    if (!available.includes(name)) {
      throw new ModelError('unsupported_output', `output "${name}" is not one of ${available.join(', ')}`, {
        details: { output: name, available },
      });
    }
  }
  if (requested.length === 0 || new Set(requested).size !== requested.length) {
    throw new ModelError('unsupported_output', `outputs [${requested.join(', ')}]: name each once, and at least one`);
  }
  return requested;
}

/**
 * Builds the `fp32` graph: input `pixel_values` float32 [batch, numChannels, H, W].
 * @throws ModelError `unsupported_output`, `invalid_checkpoint`, or `invalid_model_config` where the input is too small.
 */
export function buildBitGraph(checkpoint: Checkpoint, options: GraphOptions): BuiltGraph {
  const { config } = checkpoint;
  const graph = new GraphBuilder();
  const layers = new FloatLayers(graph, 'float32');
  const input = pixelValuesInput(config, options.inputSize);
  const { values, macs } = emitNetwork(checkpoint, layers, {
    name: graph.uniqueName(input.name),
    channels: config.numChannels,
    size: options.inputSize,
  });
  return finishGraph(checkpoint, graph, input, { macs, value: (name) => values.get(name)! }, options);
}

/** The input of the WASM variants: the normalised image. */
export function pixelValuesInput(config: BitConfig, size: SpatialSize | null): TensorSpecification {
  return {
    name: 'pixel_values',
    dtype: 'float32',
    shape: [BATCH, config.numChannels, size?.height ?? 'height', size?.width ?? 'width'],
  };
}

/** An emitted network, of which outputs are fetched by name: what is not fetched need not be computed. */
export interface EmittedNetwork {
  readonly macs: number | null;
  value(name: string): FloatValue;
}

/** Multiply-accumulates of one image of a given size. */
export function countMacs(checkpoint: Checkpoint, size: SpatialSize): number {
  const layers = new FloatLayers(new GraphBuilder(), 'float32');
  return emitNetwork(checkpoint, layers, { name: 'image', channels: checkpoint.config.numChannels, size }).macs!;
}

/** Names the outputs, encodes the graph and counts; shared by every variant. */
export function finishGraph(
  checkpoint: Checkpoint,
  graph: GraphBuilder,
  input: TensorSpecification,
  { macs, value }: EmittedNetwork,
  options: GraphOptions,
): BuiltGraph {
  const { config } = checkpoint;
  const names = checkOutputs(config, options.outputs ?? defaultOutputs(config));
  const outputs = names.map((name): TensorSpecification => {
    const output = value(name);
    graph.nameOutput(output.name, name);
    return { name, dtype: 'float32', shape: outputShape(config, name, output) };
  });
  const onnxOutputs: OnnxValue[] = outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  const files = encodeOnnxModel(graph.finish('bit', [input], onnxOutputs), options.externalWeights);
  return {
    ...files,
    inputs: [input],
    outputs,
    macs,
    parameters: [...checkpoint.weights.values()].reduce((sum, { data }) => sum + data.length, 0),
  };
}

function outputShape(config: BitConfig, name: string, { size, channels }: FloatValue): (number | string)[] {
  if (name === 'logits') return [BATCH, config.numLabels];
  if (name === 'pooler_output') return [BATCH, lastChannels(config), 1, 1];
  const stage = name === 'last_hidden_state' ? `stage${planStages(config).length}` : name;
  return [BATCH, channels, size?.height ?? `${stage}_height`, size?.width ?? `${stage}_width`];
}
