/**
 * BiT's layers in float32 or float16, as ONNX nodes. Pure, no I/O.
 */
import type { HiddenAct } from '../../bit-config.ts';
import { float16Bits } from '../../float-formats.ts';
import { bytesOf, type GraphBuilder } from './graph-builder.ts';
import { emitGroupNorm, type MakeConstant } from './group-norm.ts';
import type { Classifier, Convolution, FeatureMap, GroupNorm, LayerEmitter, StemPool } from './network.ts';
import { type Pads, type SpatialSize, samePads, type Window, windowOutputSize } from './padding.ts';

/** A value of the graph, NCHW. */
export interface FloatValue extends FeatureMap {
  readonly name: string;
}

const STEM_POOL: Window = { kernel: 3, stride: 2, dilation: 1 };

/**
 * What the stem's zero padding holds instead of 0. onnxruntime's PadFusion folds a `Pad` of 0 into the `MaxPool` behind
 * it, whose padding is minus infinity; this value it leaves alone, and no float32 sum can tell it from 0.
 */
export const UNFUSED_ZERO = 1e-30;

/** The same for float16, whose smallest positive value is 6e-8. */
const UNFUSED_ZERO_FLOAT16 = 6e-8;

/** Emits layers in one floating-point type. */
export class FloatLayers implements LayerEmitter<FloatValue> {
  readonly graph: GraphBuilder;
  readonly dtype: 'float32' | 'float16';

  constructor(graph: GraphBuilder, dtype: 'float32' | 'float16') {
    this.graph = graph;
    this.dtype = dtype;
  }

  /** A constant in this emitter's type. */
  floats(name: string, shape: readonly number[], values: Float32Array | readonly number[]): string {
    if (this.dtype === 'float32') return this.graph.float32(name, shape, values);
    return this.graph.constant(name, 'float16', shape, bytesOf(Uint16Array.from(values, float16Bits)));
  }

  convolution(input: FloatValue, { name, kernel, window, pads, outputSize }: Convolution): FloatValue {
    const weight = this.floats(`${name}.weight`, kernel.shape, kernel.data);
    const output = this.graph.node('Conv', name, [input.name, weight], {
      attributes: windowAttributes(window, pads),
    });
    return { name: output, channels: kernel.shape[0]!, size: outputSize };
  }

  groupNorm(input: FloatValue, norm: GroupNorm): FloatValue {
    const constant: MakeConstant = (name, shape, values) => this.floats(name, shape, values);
    const output = { ...input, name: emitGroupNorm(this.graph, constant, input, norm) };
    return norm.activation === null ? output : this.activation(output, `${norm.name}.activation`, norm.activation);
  }

  activation(input: FloatValue, name: string, activation: HiddenAct): FloatValue {
    return { ...input, name: emitActivation(this.graph, input.name, name, activation, this.dtype) };
  }

  add(input: FloatValue, shortcut: FloatValue, name: string): FloatValue {
    const sum = this.graph.node('Add', name, [input.name, shortcut.name]);
    return { ...input, name: sum, size: broadcastSize(input.size, shortcut.size) };
  }

  border(input: FloatValue, name: string): FloatValue {
    return this.#pad(input, name, [1, 1, 1, 1]);
  }

  stemPool(input: FloatValue, pool: StemPool): FloatValue {
    return emitStemPool(this, input, pool);
  }

  globalPool(input: FloatValue, name: string): FloatValue {
    const output = this.graph.node('GlobalAveragePool', name, [input.name]);
    return { name: output, channels: input.channels, size: { height: 1, width: 1 } };
  }

  classifier(pooled: FloatValue, { name, weight, bias }: Classifier): FloatValue {
    const flat = this.graph.node('Flatten', `${name}.flat`, [pooled.name]);
    const output = this.graph.node(
      'Gemm',
      name,
      [
        flat,
        this.floats(`${name}.weight`, weight.shape, weight.data),
        this.floats(`${name}.bias`, [bias.length], bias),
      ],
      { attributes: { transB: 1 } },
    );
    return { name: output, channels: bias.length, size: null };
  }

  #pad(input: FloatValue, name: string, pads: Pads): FloatValue {
    const output = this.graph.node('Pad', name, [
      input.name,
      this.graph.int64(`pads_${pads.join('_')}`, pads),
      this.unfusedZero(),
      this.graph.int64('axes_height_width', [2, 3]),
    ]);
    return { ...input, name: output, size: paddedSize(input.size, pads) };
  }

  /** The scalar that stands for 0 in a `Pad` before a `MaxPool`. */
  unfusedZero(): string {
    return this.floats('unfused_zero', [], [this.dtype === 'float32' ? UNFUSED_ZERO : UNFUSED_ZERO_FLOAT16]);
  }
}

/** An activation by name; the graph keeps its type. */
export function emitActivation(
  graph: GraphBuilder,
  input: string,
  name: string,
  activation: HiddenAct,
  dtype: 'float32' | 'float16',
): string {
  switch (activation) {
    case 'relu':
      return graph.node('Relu', name, [input]);
    case 'gelu':
      return graph.node('Gelu', name, [input]);
    case 'silu':
      return graph.node('Mul', name, [input, graph.node('Sigmoid', `${name}.sigmoid`, [input])]);
    default:
      throw new Error(`activation ${activation satisfies never} in ${dtype}`);
  }
}

/** Attributes of `Conv` and its kin for a square window; null pads are SAME_UPPER. */
export function windowAttributes(
  window: Window,
  pads: Pads | null,
): Record<string, number | readonly number[] | string> {
  const { kernel, stride, dilation } = window;
  return {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    dilations: [dilation, dilation],
    ...(pads === null ? { auto_pad: 'SAME_UPPER' } : { pads }),
  };
}

/** Size of a sum: ONNX and PyTorch both broadcast an axis of 1. */
export function broadcastSize(a: SpatialSize | null, b: SpatialSize | null): SpatialSize | null {
  if (a === null || b === null) return null;
  return { height: Math.max(a.height, b.height), width: Math.max(a.width, b.width) };
}

function paddedSize(size: SpatialSize | null, [top, left, bottom, right]: Pads): SpatialSize | null {
  return size === null ? null : { height: size.height + top + bottom, width: size.width + left + right };
}

/**
 * The stem's max pool over zero padding. ONNX pads a pool with minus infinity, so with a fixed size the zeros come
 * afterwards: a maximum with a mask that is 0 wherever a window reaches the padding. That costs a pass over the output
 * instead of one over the four times larger input, and leaves nothing for PadFusion to fold.
 */
function emitStemPool(layers: FloatLayers, input: FloatValue, { name, border, dynamic }: StemPool): FloatValue {
  const { graph } = layers;
  const { size } = input;
  const borderPads: Pads = border ? [1, 1, 1, 1] : [0, 0, 0, 0];
  if (size === null) {
    const padded = emitDynamicPad(layers, input.name, name, borderPads, dynamic);
    const output = graph.node('MaxPool', name, [padded], {
      attributes: windowAttributes(STEM_POOL, [0, 0, 0, 0]),
    });
    return { name: output, channels: input.channels, size: null };
  }
  const dynamicPads = dynamic ? samePads(paddedSize(size, borderPads)!, STEM_POOL) : [0, 0, 0, 0];
  const pads: Pads = [
    borderPads[0] + dynamicPads[0]!,
    borderPads[1] + dynamicPads[1]!,
    borderPads[2] + dynamicPads[2]!,
    borderPads[3] + dynamicPads[3]!,
  ];
  const outputSize = windowOutputSize(size, STEM_POOL, pads)!;
  const pooled = graph.node('MaxPool', pads.every((pad) => pad === 0) ? name : `${name}.unpadded`, [input.name], {
    attributes: windowAttributes(STEM_POOL, pads),
  });
  if (pads.every((pad) => pad === 0)) return { name: pooled, channels: input.channels, size: outputSize };
  const { height, width } = outputSize;
  const lowest = layers.dtype === 'float32' ? -3.4028234663852886e38 : -65504;
  const mask = new Float32Array(height * width).fill(lowest);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const reachesPadding =
        y * 2 < pads[0] || x * 2 < pads[1] || y * 2 + 3 > pads[0] + size.height || x * 2 + 3 > pads[1] + size.width;
      if (reachesPadding) mask[y * width + x] = 0;
    }
  }
  const output = graph.node('Max', name, [pooled, layers.floats(`${name}.zeros`, [1, 1, height, width], mask)]);
  return { name: output, channels: input.channels, size: outputSize };
}

/**
 * Zeros around an input whose size is free. With a 3x3 window and stride 2, TensorFlow's SAME adds 1 px at the end of an
 * even axis, and one on each side of an odd one.
 */
function emitDynamicPad(layers: FloatLayers, input: string, name: string, border: Pads, dynamic: boolean): string {
  const { graph } = layers;
  if (!dynamic && border[0] === 0) return input;
  let pads = graph.int64(`pads_${border.join('_')}`, border);
  if (dynamic) {
    const size = graph.node('Shape', `${name}.size`, [input], { attributes: { start: 2, end: 4 } });
    const odd = graph.node('Mod', `${name}.odd`, [size, graph.int64('two', [2])]);
    const after = graph.int64('one_one', [1, 1]);
    const same = graph.node('Concat', `${name}.same`, [odd, after], { attributes: { axis: 0 } });
    pads = graph.node('Add', `${name}.pads`, [same, pads]);
  }
  return graph.node('Pad', `${name}.padded`, [
    input,
    pads,
    layers.unfusedZero(),
    graph.int64('axes_height_width', [2, 3]),
  ]);
}
