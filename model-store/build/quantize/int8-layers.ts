/**
 * BiT's layers with 8-bit convolutions, as ONNX nodes: QuantizeLinear > MatMulIntegerToFloat > group norm. Feature maps
 * are rows (`rows.ts`), their channels in the graph's own order (`channel-order.ts`). A convolution's result is never
 * requantized; the group norm, or the residual sum, takes it as it is.
 * Pure, no I/O.
 */
import { ModelError } from '../../../worker/errors.ts';
import type { HiddenAct } from '../../bit-config.ts';
import type { WeightTensor } from '../checkpoint/checkpoint.ts';
import { broadcastSize, FloatLayers, type FloatValue, windowAttributes } from '../graph/float-layers.ts';
import type { GraphBuilder } from '../graph/graph-builder.ts';
import {
  type Classifier,
  type Convolution,
  type GroupNorm,
  type LayerEmitter,
  moduleName,
  type StemPool,
} from '../graph/network.ts';
import { type Quantization, quantizationOf } from './activation-range.ts';
import type { Calibration } from './calibration.ts';
import { type ChannelOrder, checkpointOrder, groupMinorOrder, reorder, reorderKernel } from './channel-order.ts';
import { emitConvolutionOfRows, emitProduct, type QuantizedRows } from './convolution-as-matmul.ts';
import { emitGroupNormOfRows } from './group-norm-of-rows.ts';
import type { PixelQuantization } from './pixel-grid.ts';
import { type QuantizedWeights, quantizeWeights, WEIGHT_ZERO_POINT } from './quantize-weights.ts';
import { averageRow, emitCheckpointOrder, emitPlanes, emitRows, type FixedMap, positionsOf } from './rows.ts';

/** A value in the forms in which it is there already; the others are made when a layer asks for them. */
export interface Int8Value extends FixedMap {
  /** Names its statistics in the calibration, and what is made of it. */
  readonly site: string;
  /** Whether the channels are in the checkpoint's order, not in the graph's: the image and the logits. */
  readonly isPlain: boolean;
  /** How it is quantized, where that is not the calibration's range. */
  readonly quantization?: Quantization;
  readonly forms: {
    /** float32 [N, channels, height, width]. */
    planes?: string;
    /** float32 [N, positions, channels]. */
    rows?: string;
    /** Rows whose ReLU is still to come; an unsigned 8-bit grid does it for nothing. */
    unrectified?: string;
    /** uint8: planes of the image, rows of everything else. */
    quantized?: string;
  };
}

/**
 * Relative error of a layer's weights and input, together, from which on it stays in float32. A trained BiT's layers lie
 * near 0.01; errors add up like variances, so that one at 0.05 counts as much as twenty-five of them.
 */
const MAX_LAYER_ERROR = 0.05;

/** What became of one layer. */
export interface LayerReport {
  /** HF's module name. */
  readonly name: string;
  /** `float32` where quantizing it would have cost too much. */
  readonly precision: 'int8' | 'float32';
  /** Relative error of the weights as 8 bits, weighted by what they are multiplied with. */
  readonly weightError: number;
  /** Relative error of the input as 8 bits. */
  readonly inputError: number;
}

export class Int8Layers implements LayerEmitter<Int8Value> {
  readonly graph: GraphBuilder;
  readonly reports: LayerReport[] = [];
  readonly #float: FloatLayers;
  readonly #groups: number;
  readonly #calibration: Calibration;
  readonly #floatLayers: ReadonlySet<string>;
  readonly #pixels: PixelQuantization | null;
  readonly #quantized: Map<string, QuantizedWeights>;

  /**
   * @param groups of every group norm.
   * @param pixels the grid of the network's input; null where it is quantized like any other value.
   * @param quantized weights by layer, as far as they are quantized already; the others are added.
   */
  constructor(
    graph: GraphBuilder,
    groups: number,
    calibration: Calibration,
    floatLayers: ReadonlySet<string>,
    pixels: PixelQuantization | null,
    quantized: Map<string, QuantizedWeights>,
  ) {
    this.#quantized = quantized;
    this.graph = graph;
    this.#groups = groups;
    this.#pixels = pixels;
    this.#float = new FloatLayers(graph, 'float32');
    this.#calibration = calibration;
    this.#floatLayers = floatLayers;
  }

  /** The network's input. */
  image(name: string, map: FixedMap): Int8Value {
    const value: Int8Value = { ...map, site: name, isPlain: true, forms: { planes: name } };
    if (this.#pixels === null) return value;
    const { shift, scale, zeroPoint } = this.#pixels;
    const { graph } = this;
    const shifted =
      shift === 0 ? name : graph.node('Add', `${name}.shifted`, [name, graph.float32(`${name}.shift`, [], [shift])]);
    value.forms.quantized = this.#quantizeLinear(shifted, name, { scale, zeroPoint });
    return { ...value, quantization: this.#pixels };
  }

  /** A value as float32, NCHW, its channels in the checkpoint's order. */
  toFloat(value: Int8Value): FloatValue {
    const planes = this.#planes(value);
    const name = value.isPlain ? planes : emitCheckpointOrder(this.graph, planes, value, this.#groups);
    return { ...value, name };
  }

  convolution(input: Int8Value, convolution: Convolution): Int8Value {
    const { name, kernel } = convolution;
    const outputs = groupMinorOrder(kernel.shape[0]!, this.#groups);
    const inputs = this.#orderOf(input);
    const output = { channels: outputs.length, size: convolution.outputSize!, site: name, isPlain: false };
    const weights = this.#quantizeWeights(name, input, kernel);
    if (weights === null) {
      const reordered = { shape: kernel.shape, data: reorderKernel(kernel.data, outputs, inputs) };
      const planes = { ...input, name: this.#planes(input) };
      return {
        ...output,
        forms: { planes: this.#float.convolution(planes, { ...convolution, kernel: reordered }).name },
      };
    }
    const data = reorderKernel(weights.data, outputs, inputs);
    const scales = reorder(weights.scales, outputs);
    if (input.isPlain) return { ...output, forms: { planes: this.#convolveImage(input, convolution, data, scales) } };
    const rows = emitConvolutionOfRows(this.graph, this.#quantize(input), input, { data, scales }, convolution);
    return { ...output, forms: { rows } };
  }

  /** The stem: 7x7 windows of three channels are gathered faster in planes. */
  #convolveImage(
    image: Int8Value,
    { name, kernel, window, pads }: Convolution,
    weights: Uint8Array,
    scales: Float32Array,
  ): string {
    const { graph } = this;
    const { name: quantized, scale, zeroPoint } = this.#quantize(image);
    const sums = graph.node(
      'ConvInteger',
      `${name}.sums`,
      [
        quantized,
        graph.constant(`${name}.weight`, 'uint8', kernel.shape, weights),
        this.#zeroPoint(zeroPoint),
        this.#zeroPoint(WEIGHT_ZERO_POINT),
      ],
      { attributes: windowAttributes(window, pads) },
    );
    const products = graph.float32(
      `${name}.scales`,
      [scales.length],
      scales.map((weightScale) => weightScale * scale),
    );
    return graph.node('DequantizeLinear', name, [sums, products], { attributes: { axis: 1 } });
  }

  groupNorm(input: Int8Value, norm: GroupNorm): Int8Value {
    const normalized = emitGroupNormOfRows(this.graph, this.#rows(input), input, norm);
    const site = norm.activation === null ? norm.name : `${norm.name}.activation`;
    const value = { ...input, site, isPlain: false };
    if (norm.activation === null) return { ...value, forms: { rows: normalized } };
    if (norm.activation === 'relu') return { ...value, forms: { unrectified: normalized } };
    const { name } = this.#float.activation({ ...input, name: normalized }, site, norm.activation);
    return { ...value, forms: { rows: name } };
  }

  activation(input: Int8Value, name: string, activation: HiddenAct): Int8Value {
    const rows = this.#float.activation({ ...input, name: this.#rows(input) }, name, activation).name;
    return { ...input, site: name, forms: { rows } };
  }

  add(input: Int8Value, shortcut: Int8Value, name: string): Int8Value {
    const size = broadcastSize(input.size, shortcut.size)!;
    const isSameSize = input.size.height === shortcut.size.height && input.size.width === shortcut.size.width;
    const form = isSameSize ? 'rows' : 'planes';
    const operands = isSameSize
      ? [this.#rows(input), this.#rows(shortcut)]
      : [this.#planes(input), this.#planes(shortcut)];
    return { ...input, size, site: name, forms: { [form]: this.graph.node('Add', name, operands) } };
  }

  border(input: Int8Value, name: string): Int8Value {
    return this.#ofPlanes(input, this.#float.border({ ...input, name: this.#planes(input) }, name), name);
  }

  stemPool(input: Int8Value, pool: StemPool): Int8Value {
    return this.#ofPlanes(input, this.#float.stemPool({ ...input, name: this.#planes(input) }, pool), pool.name);
  }

  globalPool(input: Int8Value, name: string): Int8Value {
    const average = averageRow(this.graph, positionsOf(input));
    const rows = this.graph.node('MatMul', name, [average, this.#rows(input)]);
    return { ...input, size: { height: 1, width: 1 }, site: name, forms: { rows } };
  }

  classifier(pooled: Int8Value, classifier: Classifier): Int8Value {
    const { name, weight, bias } = classifier;
    const labels = weight.shape[0]!;
    const output = { channels: labels, size: pooled.size, site: name, isPlain: true };
    const weights = this.#quantizeWeights(name, pooled, weight);
    if (weights === null) {
      return { ...output, forms: { planes: this.#float.classifier(this.toFloat(pooled), classifier).name } };
    }
    const { graph } = this;
    const data = reorderKernel(weights.data, checkpointOrder(labels), this.#orderOf(pooled));
    const rows = this.#quantize(pooled);
    const flat = { ...rows, name: graph.node('Flatten', `${name}.flat`, [rows.name]) };
    const logits = emitProduct(graph, name, flat, { data, scales: weights.scales }, 1, bias);
    return { ...output, forms: { planes: logits } };
  }

  #ofPlanes(input: Int8Value, { name, size }: FloatValue, site: string): Int8Value {
    return { ...input, size: size!, site, forms: { planes: name } };
  }

  #orderOf({ channels, isPlain }: Int8Value): ChannelOrder {
    return isPlain ? checkpointOrder(channels) : groupMinorOrder(channels, this.#groups);
  }

  /** float32 [N, channels, height, width], in the value's own order of channels. */
  #planes(value: Int8Value): string {
    const { forms } = value;
    forms.planes ??= emitPlanes(this.graph, this.#rows(value), value);
    return forms.planes;
  }

  /** float32 [N, positions, channels]. */
  #rows(value: Int8Value): string {
    const { forms, site } = value;
    forms.rows ??=
      forms.unrectified === undefined
        ? emitRows(this.graph, forms.planes!, value)
        : this.graph.node('Relu', site, [forms.unrectified]);
    return forms.rows;
  }

  #site(name: string): Calibration['sites'][string] {
    const site = this.#calibration.sites[name];
    if (site === undefined) {
      throw new ModelError('invalid_checkpoint', `calibration has no statistics of "${name}"; calibrate this network`);
    }
    return site;
  }

  #zeroPoint(value: number): string {
    return this.graph.uint8(`zero_point_${value}`, [], [value]);
  }

  #quantizationOf({ quantization, site }: Int8Value): Quantization {
    if (quantization !== undefined) return quantization;
    const { min, max } = this.#site(site);
    return quantizationOf(min, max);
  }

  /** Null where the layer stays in float32. */
  #quantizeWeights(name: string, input: Int8Value, { shape, data }: WeightTensor): QuantizedWeights | null {
    const module = moduleName(name);
    const site = this.#site(input.site);
    const weights =
      this.#quantized.get(name) ??
      quantizeWeights(data, shape[0]!, { mean: site.channel_mean, power: site.channel_power });
    this.#quantized.set(name, weights);
    const weightError = weights.relativeError;
    const inputError = input.quantization === undefined ? site.relative_error : 0;
    const isCostly = Math.hypot(weightError, inputError) > MAX_LAYER_ERROR;
    const precision = isCostly || this.#floatLayers.has(module) ? 'float32' : 'int8';
    this.reports.push({ name: module, precision, weightError, inputError });
    return precision === 'int8' ? weights : null;
  }

  /** Planes of the image, rows of everything else. */
  #quantize(value: Int8Value): QuantizedRows {
    const { forms, site, isPlain } = value;
    const quantization = this.#quantizationOf(value);
    if (forms.quantized === undefined) {
      const clampIsRelu = quantization.zeroPoint === 0 && forms.unrectified !== undefined;
      const float = isPlain ? this.#planes(value) : clampIsRelu ? forms.unrectified! : this.#rows(value);
      forms.quantized = this.#quantizeLinear(float, site, quantization);
    }
    return { ...quantization, name: forms.quantized };
  }

  #quantizeLinear(source: string, site: string, { scale, zeroPoint }: Quantization): string {
    return this.graph.node('QuantizeLinear', `${site}.quantized`, [
      source,
      this.graph.float32(`scale_${scale}`, [], [scale]),
      this.#zeroPoint(zeroPoint),
    ]);
  }
}
