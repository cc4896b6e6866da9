/**
 * BiT's int8 form as the engine runs it: what `recognize.ts` makes of an ONNX graph. Every size in it is checked against every other,
 * and against the file. Pure.
 */

/** Index of a value in `Int8Network.values`. */
export type ValueId = number;

/** Index of a constant in `Int8Network.tensors`. */
export type TensorId = number;

/** Real value = (quantized - zeroPoint) * scale, quantized from 0 to 255. */
export interface Quantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Pads in px: [top, left, bottom, right]. */
export type Pads = readonly [number, number, number, number];

/** A square window that moves over a map. */
export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pads: Pads;
}

/**
 * A feature map of one image: HWC. Channel order is the graph's (model-store/build/quantize/channel-order.ts): channel c is of group
 * c % groups; but the logits, which are in the order of the labels.
 */
export interface NetworkValue {
  /** The value's name in the graph. */
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Null for float32; else uint8, and what it stands for. */
  readonly quantization: Quantization | null;
}

/** Where a constant's bytes are: a part of the external weights file, or in the graph itself. */
export type TensorSource =
  | { readonly kind: 'file'; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'graph'; readonly data: Uint8Array; readonly bytes: number };

/** A constant, row-major and little-endian. */
export interface NetworkTensor {
  readonly name: string;
  readonly dtype: 'float32' | 'uint8' | 'int32';
  readonly shape: readonly number[];
  readonly source: TensorSource;
  /**
   * What it must hold, where the network follows from it: read when the file is. `finite`: float32 numbers; `positive`: scales, not
   * below zero; `repeated`: the first `period` numbers over and over; `same`: exactly these numbers; null: any bytes.
   */
  readonly contents: TensorContents | null;
}

/** See `NetworkTensor.contents`. */
export type TensorContents =
  | { readonly kind: 'finite' }
  | { readonly kind: 'positive' }
  | { readonly kind: 'repeated'; readonly period: number }
  | { readonly kind: 'same'; values(): Int32Array | Float32Array };

/** The image to 8 bits, the first convolution, and the max pool. */
export interface StemStep {
  readonly kind: 'stem';
  readonly name: string;
  /** Added to the pixel values before they are quantized; 0 for none. */
  readonly shift: number;
  readonly quantization: Quantization;
  readonly window: Window;
  /** Size of the convolution's output. */
  readonly height: number;
  readonly width: number;
  /** uint8 [outputs, inputs, kernel, kernel], zero point 128. */
  readonly weight: TensorId;
  /** float32 [outputs]: value = sum * scale; the image's scale is in it already. */
  readonly scales: TensorId;
  /** 3x3 or so, dilation 1. */
  readonly pool: Window;
  /** What the pool's window finds in its pads: 0, or -Infinity. */
  readonly border: number;
  readonly output: ValueId;
}

/**
 * Group norm, with what follows it in the same pass: y = x * factor + offset, then + residual, then ReLU. The float32 result, the
 * 8-bit one, or both.
 */
export interface NormStep {
  readonly kind: 'norm';
  readonly name: string;
  readonly input: ValueId;
  /** float32; the first `channels` numbers are the channels' in the graph's order, what follows repeats them. */
  readonly gamma: TensorId;
  readonly beta: TensorId;
  readonly epsilon: number;
  readonly residual: ValueId | null;
  readonly activation: 'relu' | 'none';
  readonly float: ValueId | null;
  readonly quantized: ValueId | null;
}

/** A convolution of a quantized map: y = sum * (input scale * scales[output]), then + residual. */
export interface ConvolutionStep {
  readonly kind: 'convolution';
  readonly name: string;
  readonly input: ValueId;
  readonly window: Window;
  /** uint8 [kernel * kernel * inputs, outputs], taps first, zero point 128. */
  readonly weight: TensorId;
  /** float32 [outputs]. */
  readonly scales: TensorId;
  /** Added behind the product; its memory may be the output's. */
  readonly residual: ValueId | null;
  readonly output: ValueId;
}

/** Mean over all positions. */
export interface AverageStep {
  readonly kind: 'average';
  readonly name: string;
  readonly input: ValueId;
  readonly output: ValueId;
}

/** Quantizes a 1x1 map, multiplies, adds the bias. */
export interface ClassifierStep {
  readonly kind: 'classifier';
  readonly name: string;
  readonly input: ValueId;
  readonly quantization: Quantization;
  /** uint8 [inputs, labels], zero point 128. */
  readonly weight: TensorId;
  /** float32 [labels]. */
  readonly scales: TensorId;
  /** float32 [labels]; null for none. */
  readonly bias: TensorId | null;
  readonly output: ValueId;
}

/** One step, in the order of execution. */
export type Step = StemStep | NormStep | ConvolutionStep | AverageStep | ClassifierStep;

/** An output of the graph. */
export interface NetworkOutput {
  readonly name: string;
  readonly value: ValueId;
  /** As the graph gives it for one image; the batch comes first. */
  readonly shape: readonly number[];
  /** `checkpoint`: channel j * groups + g of the value is number g * channels / groups + j of the output. */
  readonly order: 'graph' | 'checkpoint';
  /** `planes`: [channels, height, width]; `rows`: [positions, channels]. */
  readonly layout: 'planes' | 'rows';
}

/** A network of one image. */
export interface Int8Network {
  /** float32 [batch, channels, height, width]. */
  readonly input: { readonly name: string; readonly channels: number; readonly height: number; readonly width: number };
  /** Of every group norm. */
  readonly groups: number;
  readonly values: readonly NetworkValue[];
  readonly tensors: readonly NetworkTensor[];
  readonly steps: readonly Step[];
  readonly outputs: readonly NetworkOutput[];
  /** Name of the external file that `file` sources are parts of; null where there is none. */
  readonly weightsFile: string | null;
  /** Multiply-accumulates of one image. */
  readonly macs: number;
}

/** Values that a step reads. */
export function readBy(step: Step): ValueId[] {
  if (step.kind === 'stem') return [];
  const residual = step.kind === 'norm' || step.kind === 'convolution' ? step.residual : null;
  return residual === null ? [step.input] : [step.input, residual];
}

/** Values that a step writes. */
export function writtenBy(step: Step): ValueId[] {
  if (step.kind !== 'norm') return [step.output];
  return [step.float, step.quantized].filter((value) => value !== null);
}
