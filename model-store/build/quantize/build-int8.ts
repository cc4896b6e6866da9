/**
 * Builds the `int8` variant from a checkpoint and its calibration, and the graph that calibration runs. Pure, no I/O.
 */

import type { BitConfig } from '../../bit-config.ts';
import { encodeOnnxModel } from '../../onnx/encode.ts';
import type { OnnxValue } from '../../onnx/onnx-model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { type BuiltGraph, defaultOutputs, finishGraph, type GraphOptions, pixelValuesInput } from '../graph/build.ts';
import { FloatLayers, type FloatValue } from '../graph/float-layers.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { type Classifier, type Convolution, emitNetwork } from '../graph/network.ts';
import type { SpatialSize } from '../graph/padding.ts';
import type { Calibration } from './calibration.ts';
import { Int8Layers, type LayerReport } from './int8-layers.ts';
import { type PixelGrid, quantizePixels } from './pixel-grid.ts';
import type { QuantizedWeights } from './quantize-weights.ts';

/** How a graph is quantized. */
export interface Int8Options extends GraphOptions {
  readonly inputSize: SpatialSize;
  /** The grid of the pixel values, where there is one: it makes the quantization of the input exact. */
  readonly pixelGrid: PixelGrid | null;
  /** Layers that stay in float32 besides those that lose too much, by HF's module names: `bit.embedder.convolution`, `classifier.1`. */
  readonly floatLayers?: ReadonlySet<string>;
  /** Weights that were quantized before, for another size of the same network and calibration; what is missing is added. */
  readonly quantized?: Map<string, QuantizedWeights>;
}

/** A quantized graph, and what became of each layer. */
export interface Int8Graph extends BuiltGraph {
  readonly layers: readonly LayerReport[];
}

/**
 * Builds the `int8` graph: input `pixel_values` float32 [batch, numChannels, H, W], the outputs float32.
 * The same input gives the same bytes.
 * @throws ModelError as `buildBitGraph`, and `invalid_checkpoint` where the calibration is not of this network.
 */
export function buildInt8Graph(checkpoint: Checkpoint, calibration: Calibration, options: Int8Options): Int8Graph {
  const graph = new GraphBuilder();
  const pixels = options.pixelGrid && quantizePixels(options.pixelGrid);
  const { numChannels: channels, numGroups } = checkpoint.config;
  const floatLayers = options.floatLayers ?? new Set();
  const layers = new Int8Layers(graph, numGroups, calibration, floatLayers, pixels, options.quantized ?? new Map());
  const input = pixelValuesInput(checkpoint.config, options.inputSize);
  const image = layers.image(graph.uniqueName(input.name), { channels, size: options.inputSize });
  const { values, macs } = emitNetwork(checkpoint, layers, image);
  const built = finishGraph(
    checkpoint,
    graph,
    input,
    { macs, value: (name) => layers.toFloat(values.get(name)!) },
    { ...options, outputs: options.outputs ?? workerOutputs(checkpoint.config) },
  );
  return { ...built, layers: layers.reports };
}

/** What a worker serves: labels and embedding from one run, and the map that they are made of, which costs nothing until it is fetched. */
function workerOutputs(config: BitConfig): readonly string[] {
  return [...defaultOutputs(config), 'last_hidden_state'];
}

/** The fp32 graph whose outputs are the inputs of every layer that can be quantized, under their sites' names. */
export interface CalibrationGraph {
  readonly model: Uint8Array;
  readonly weights: Uint8Array | null;
  readonly input: string;
  readonly sites: readonly string[];
}

/** Builds the graph that calibration runs. */
export function buildCalibrationGraph(checkpoint: Checkpoint, inputSize: SpatialSize): CalibrationGraph {
  const graph = new GraphBuilder();
  const layers = new CalibrationLayers(graph, 'float32');
  const input = pixelValuesInput(checkpoint.config, inputSize);
  const name = graph.uniqueName(input.name);
  emitNetwork(checkpoint, layers, { name, channels: checkpoint.config.numChannels, size: inputSize });
  const sites = [...layers.sites];
  const outputs = sites
    .filter((site) => site !== name)
    .map((site): OnnxValue => ({ name: site, dtype: 'float32', shape: ['batch', 'channels', 'height', 'width'] }));
  const files = encodeOnnxModel(graph.finish('bit-calibration', [input], outputs), null);
  return { ...files, input: name, sites };
}

/** Notes what each convolution and the classifier are fed. */
class CalibrationLayers extends FloatLayers {
  readonly sites = new Set<string>();

  override convolution(input: FloatValue, convolution: Convolution): FloatValue {
    this.sites.add(input.name);
    return super.convolution(input, convolution);
  }

  override classifier(pooled: FloatValue, classifier: Classifier): FloatValue {
    this.sites.add(pooled.name);
    return super.classifier(pooled, classifier);
  }
}
