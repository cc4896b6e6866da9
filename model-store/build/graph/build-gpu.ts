/**
 * Builds the `gpu` variant: 8-bit images in, rescaled, normalised and transposed on the device; float16 arithmetic, or
 * float32 for providers that have no float16. Pure, no I/O.
 */

import type { TensorSpecification } from '../../manifest.ts';
import { ONNX_DTYPE } from '../../onnx/onnx-model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { BATCH, type BuiltGraph, finishGraph, type GraphOptions } from './build.ts';
import { FloatLayers, type FloatValue } from './float-layers.ts';
import { GraphBuilder } from './graph-builder.ts';
import { emitNetwork, GROUP_NORM_EPSILON, type GroupNorm } from './network.ts';
import type { Normalization } from './normalization.ts';

/** How a `gpu` graph computes. */
export interface GpuOptions extends GraphOptions {
  readonly precision: 'float16' | 'float32';
  readonly normalization: Normalization;
}

/**
 * Builds the `gpu` graph: input `image` uint8 [batch, H, W, numChannels], resized and cropped; outputs float32.
 * @throws ModelError as `buildBitGraph`.
 */
export function buildGpuGraph(checkpoint: Checkpoint, options: GpuOptions): BuiltGraph {
  const { inputSize, precision } = options;
  const channels = checkpoint.config.numChannels;
  const graph = new GraphBuilder();
  const layers = new GpuLayers(graph, precision);
  const input: TensorSpecification = {
    name: graph.uniqueName('image'),
    dtype: 'uint8',
    shape: [BATCH, inputSize?.height ?? 'height', inputSize?.width ?? 'width', channels],
  };
  const pixelValues = emitPixelValues(graph, input.name, channels, options);
  const { values, macs } = emitNetwork(checkpoint, layers, { name: pixelValues, channels, size: inputSize });
  const value = (name: string): FloatValue => {
    const found = values.get(name)!;
    return precision === 'float32' ? found : { ...found, name: castTo(graph, found.name, 'float32') };
  };
  return finishGraph(checkpoint, graph, input, { macs, value }, options);
}

/** Samples [batch, H, W, channels] to pixel values [batch, channels, H, W]; the arithmetic is float32 either way. */
function emitPixelValues(graph: GraphBuilder, image: string, channels: number, options: GpuOptions): string {
  const { rescaleFactor, normalize } = options.normalization;
  const factor = rescaleFactor ?? 1;
  const std = normalize?.std ?? new Array<number>(channels).fill(1);
  const mean = normalize?.mean ?? new Array<number>(channels).fill(0);
  const scales = graph.float32(
    'image.scale',
    [channels],
    std.map((value) => factor / value),
  );
  const offsets = graph.float32(
    'image.offset',
    [channels],
    std.map((value, channel) => -mean[channel]! / value),
  );
  const scaled = graph.node('Mul', 'image.scaled', [castTo(graph, image, 'float32'), scales]);
  const normalized = graph.node('Add', 'image.normalized', [scaled, offsets]);
  const transposed = graph.node('Transpose', 'pixel_values', [normalized], { attributes: { perm: [0, 3, 1, 2] } });
  return options.precision === 'float32' ? transposed : castTo(graph, transposed, 'float16');
}

function castTo(graph: GraphBuilder, value: string, dtype: 'float32' | 'float16'): string {
  return graph.node('Cast', `${value}.${dtype}`, [value], { attributes: { to: ONNX_DTYPE[dtype] } });
}

/**
 * GPU providers have fast kernels for InstanceNormalization, whose statistics are float32 sums whatever the type of the
 * values; squares of float16 values, as the WASM variants sum them, would overflow.
 */
class GpuLayers extends FloatLayers {
  override groupNorm(input: FloatValue, norm: GroupNorm): FloatValue {
    const { graph } = this;
    const { name, groups } = norm;
    const grouped = graph.node('Reshape', `${name}.grouped`, [
      input.name,
      graph.int64(`by_group_${groups}`, [0, groups, -1]),
    ]);
    const ones = this.floats(`ones_${groups}`, [groups], new Array<number>(groups).fill(1));
    const zeros = this.floats(`zeros_${groups}`, [groups], new Array<number>(groups).fill(0));
    const normalized = graph.node('InstanceNormalization', `${name}.normalized`, [grouped, ones, zeros], {
      attributes: { epsilon: { float: GROUP_NORM_EPSILON } },
    });
    const shape = graph.node('Shape', `${name}.shape`, [input.name]);
    const ungrouped = graph.node('Reshape', `${name}.ungrouped`, [normalized, shape]);
    const perChannel = [norm.weight.length, 1, 1];
    const weight = this.floats(`${name}.weight`, perChannel, norm.weight);
    const bias = this.floats(`${name}.bias`, perChannel, norm.bias);
    const scaled = graph.node('Mul', `${name}.scaled`, [ungrouped, weight]);
    const output = { ...input, name: graph.node('Add', name, [scaled, bias]) };
    return norm.activation === null ? output : this.activation(output, `${name}.activation`, norm.activation);
  }
}
