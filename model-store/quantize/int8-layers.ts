/**
 * BiT's layers with 8-bit convolutions, as ONNX nodes: QuantizeLinear > ConvInteger > group norm. The convolution's
 * 32-bit sums are never requantized; the group norm, or the residual sum, takes them as they are.
 * Pure, no I/O.
 */
import { ModelError } from '../../worker/errors.ts';
import type { HiddenAct } from '../bit-config.ts';
import type { WeightTensor } from '../checkpoint/checkpoint.ts';
import { FloatLayers, type FloatValue, windowAttributes } from '../graph/float-layers.ts';
import type { GraphBuilder } from '../graph/graph-builder.ts';
import { emitGroupNormOfSums } from '../graph/group-norm.ts';
import {
  type Classifier,
  type Convolution,
  type FeatureMap,
  type GroupNorm,
  type LayerEmitter,
  moduleName,
  type StemPool,
} from '../graph/network.ts';
import { type Quantization, quantizationOf } from './activation-range.ts';
import type { Calibration } from './calibration.ts';
import { emitConvolutionAsMatMul, isFasterAsMatMul } from './convolution-as-matmul.ts';
import type { PixelQuantization } from './pixel-grid.ts';
import { type QuantizedWeights, quantizeWeights, WEIGHT_ZERO_POINT } from './quantize-weights.ts';

/** Sums of a quantized convolution: real value = sums * scales[channel]. */
interface IntegerSums {
  readonly name: string;
  readonly scales: Float32Array;
}

/** A value in the forms in which it is there already; the others are made when a layer asks for them. */
export interface Int8Value extends FeatureMap {
  /** Names its statistics in the calibration, and what is made of it. */
  readonly site: string;
  /** How it is quantized, where that is not the calibration's range. */
  readonly quantization?: Quantization;
  readonly forms: {
    float?: string;
    /** A float whose ReLU is still to come; an unsigned 8-bit grid does it for nothing. */
    unrectified?: string;
    sums?: IntegerSums;
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
  readonly #calibration: Calibration;
  readonly #floatLayers: ReadonlySet<string>;
  readonly #pixels: PixelQuantization | null;

  /**
   * @param pixels the grid of the network's input; null where it is quantized like any other value.
   */
  constructor(
    graph: GraphBuilder,
    calibration: Calibration,
    floatLayers: ReadonlySet<string>,
    pixels: PixelQuantization | null,
  ) {
    this.graph = graph;
    this.#pixels = pixels;
    this.#float = new FloatLayers(graph, 'float32');
    this.#calibration = calibration;
    this.#floatLayers = floatLayers;
  }

  /** The network's input. */
  image(input: FloatValue): Int8Value {
    const value = this.#fromFloat(input, input.name);
    if (this.#pixels === null) return value;
    const { shift, scale, zeroPoint } = this.#pixels;
    const { graph } = this;
    const shifted =
      shift === 0
        ? input.name
        : graph.node('Add', `${input.name}.shifted`, [input.name, graph.float32(`${input.name}.shift`, [], [shift])]);
    value.forms.quantized = this.#quantizeLinear(shifted, input.name, { scale, zeroPoint });
    return { ...value, quantization: this.#pixels };
  }

  #fromFloat(value: FloatValue, site: string): Int8Value {
    return { channels: value.channels, size: value.size, site, forms: { float: value.name } };
  }

  /** A value as float32. */
  toFloat(value: Int8Value): FloatValue {
    const { forms, site, channels, size } = value;
    if (forms.float === undefined) {
      if (forms.unrectified !== undefined) forms.float = this.graph.node('Relu', site, [forms.unrectified]);
      else forms.float = this.#dequantize(forms.sums!, site);
    }
    return { name: forms.float, channels, size };
  }

  convolution(input: Int8Value, convolution: Convolution): Int8Value {
    const { name, kernel, window, pads, outputSize } = convolution;
    const channels = kernel.shape[0]!;
    const weights = this.#quantizeWeights(name, input, kernel);
    if (weights === null) return this.#fromFloat(this.#float.convolution(this.toFloat(input), convolution), name);
    const { graph } = this;
    const { scale, zeroPoint } = this.#quantizationOf(input);
    const operands = { quantized: this.#quantize(input), weights: weights.data, zeroPoint };
    const sums = isFasterAsMatMul(convolution, input.size)
      ? emitConvolutionAsMatMul(graph, operands, convolution, channels)
      : graph.node(
          'ConvInteger',
          name,
          [
            operands.quantized,
            graph.constant(`${name}.weight`, 'uint8', kernel.shape, weights.data),
            this.#zeroPoint(zeroPoint),
            this.#zeroPoint(WEIGHT_ZERO_POINT),
          ],
          { attributes: windowAttributes(window, pads) },
        );
    const scales = weights.scales.map((weightScale) => weightScale * scale);
    return { site: name, channels, size: outputSize, forms: { sums: { name: sums, scales } } };
  }

  groupNorm(input: Int8Value, norm: GroupNorm): Int8Value {
    const { sums } = input.forms;
    const { channels, size } = input;
    const normalized =
      sums === undefined
        ? this.#float.groupNorm(this.toFloat(input), { ...norm, activation: null }).name
        : emitGroupNormOfSums(this.graph, { name: sums.name, channels, size }, sums.scales, norm);
    const site = norm.activation === null ? norm.name : `${norm.name}.activation`;
    const value: Int8Value = { channels, size, site, forms: {} };
    if (norm.activation === null) value.forms.float = normalized;
    else if (norm.activation === 'relu') value.forms.unrectified = normalized;
    else {
      value.forms.float = this.#float.activation({ name: normalized, channels, size }, site, norm.activation).name;
    }
    return value;
  }

  activation(input: Int8Value, name: string, activation: HiddenAct): Int8Value {
    return this.#fromFloat(this.#float.activation(this.toFloat(input), name, activation), name);
  }

  add(input: Int8Value, shortcut: Int8Value, name: string): Int8Value {
    return this.#fromFloat(this.#float.add(this.toFloat(input), this.toFloat(shortcut), name), name);
  }

  border(input: Int8Value, name: string): Int8Value {
    return this.#fromFloat(this.#float.border(this.toFloat(input), name), name);
  }

  stemPool(input: Int8Value, pool: StemPool): Int8Value {
    return this.#fromFloat(this.#float.stemPool(this.toFloat(input), pool), pool.name);
  }

  globalPool(input: Int8Value, name: string): Int8Value {
    return this.#fromFloat(this.#float.globalPool(this.toFloat(input), name), name);
  }

  classifier(pooled: Int8Value, classifier: Classifier): Int8Value {
    const { name, weight, bias } = classifier;
    const weights = this.#quantizeWeights(name, pooled, weight);
    if (weights === null) return this.#fromFloat(this.#float.classifier(this.toFloat(pooled), classifier), name);
    const { graph } = this;
    const [labels, features] = [weight.shape[0]!, weight.shape[1]!];
    const { scale, zeroPoint } = this.#quantizationOf(pooled);
    const flat = graph.node('Flatten', `${name}.flat`, [this.#quantize(pooled)]);
    const sums = graph.node('MatMulInteger', `${name}.sums`, [
      flat,
      graph.constant(`${name}.weight`, 'uint8', [features, labels], transpose(weights.data, labels, features)),
      this.#zeroPoint(zeroPoint),
      this.#zeroPoint(WEIGHT_ZERO_POINT),
    ]);
    const scales = weights.scales.map((weightScale) => weightScale * scale);
    const product = graph.node('Mul', `${name}.product`, [
      graph.node('Cast', `${name}.float`, [sums], { attributes: { to: 1 } }),
      graph.float32(`${name}.scales`, [labels], scales),
    ]);
    const logits = graph.node('Add', name, [product, graph.float32(`${name}.bias`, [labels], bias)]);
    return { site: name, channels: labels, size: null, forms: { float: logits } };
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
    const weights = quantizeWeights(data, shape[0]!, { mean: site.channel_mean, power: site.channel_power });
    const weightError = weights.relativeError;
    const inputError = input.quantization === undefined ? site.relative_error : 0;
    const isCostly = Math.hypot(weightError, inputError) > MAX_LAYER_ERROR;
    const precision = isCostly || this.#floatLayers.has(module) ? 'float32' : 'int8';
    this.reports.push({ name: module, precision, weightError, inputError });
    return precision === 'int8' ? weights : null;
  }

  #quantize(value: Int8Value): string {
    const { forms, site } = value;
    if (forms.quantized === undefined) {
      const quantization = this.#quantizationOf(value);
      const clampIsRelu = quantization.zeroPoint === 0 && forms.unrectified !== undefined;
      const source = clampIsRelu ? forms.unrectified! : this.toFloat(value).name;
      forms.quantized = this.#quantizeLinear(source, site, quantization);
    }
    return forms.quantized;
  }

  #quantizeLinear(source: string, site: string, { scale, zeroPoint }: Quantization): string {
    return this.graph.node('QuantizeLinear', `${site}.quantized`, [
      source,
      this.graph.float32(`${site}.scale`, [], [scale]),
      this.#zeroPoint(zeroPoint),
    ]);
  }

  #dequantize({ name, scales }: IntegerSums, hint: string): string {
    const scale = this.graph.float32(`${hint}.scales`, [scales.length], scales);
    return this.graph.node('DequantizeLinear', `${hint}.float`, [name, scale], { attributes: { axis: 1 } });
  }
}

function transpose(data: Uint8Array, rows: number, columns: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  }
  return out;
}
