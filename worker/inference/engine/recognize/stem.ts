/** The stem: the image as 8 bits, the first convolution and the max pool, as int8-layers.ts and float-layers.ts emit them. */
import type { OnnxNode } from '../../../../model-store/onnx/onnx-model.ts';
import type { Pads, Window } from '../network.ts';
import { type Meaning, type StemDraft, windowOutput } from './drafts.ts';
import type { GraphReader } from './graph-reader.ts';
import type { Meanings } from './meanings.ts';
import { NotRecognized } from './reasons.ts';
import { checkWindow, WEIGHT_ZERO_POINT } from './windows.ts';

/** The smallest float32: what a mask holds where a window is wholly inside. */
const LOWEST = -3.4028234663852886e38;

/** The network's input. */
export interface ImageInput {
  readonly name: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * The convolution of the image that a `DequantizeLinear` completes.
 * @throws NotRecognized; ModelError `model_corrupt`.
 */
export function recognizeStem(reader: GraphReader, meanings: Meanings, image: ImageInput, node: OnnxNode): Meaning {
  reader.expect(node, 2, { axis: 1 });
  const sums = reader.producer(node.inputs[0]!, 'ConvInteger', 4, attributesOf(reader, node.inputs[0]!));
  const [source, weight, zeroPoint, weightZeroPoint] = sums.inputs;
  const meaning = meanings.get(source!);
  if (meaning?.kind !== 'quantized_image') throw new NotRecognized('pattern', `"${source}" is no 8-bit image`);
  const { shift, quantization } = meaning;
  if (
    reader.scalar(zeroPoint!, 'uint8') !== quantization.zeroPoint ||
    reader.scalar(weightZeroPoint!, 'uint8') !== WEIGHT_ZERO_POINT
  ) {
    throw new NotRecognized('pattern', `zero points of "${sums.name}"`);
  }
  const window = windowOf(reader, sums);
  if (window.dilation !== 1) throw new NotRecognized('pattern', `"${sums.name}" is dilated`);
  const height = checkWindow(sums.name, image.height, window, window.pads[0], window.pads[2]);
  const width = checkWindow(sums.name, image.width, window, window.pads[1], window.pads[3]);
  const outputs = reader.shapeOf(weight!, 'uint8', 4)[0]!;
  const { kernel } = window;
  return {
    kind: 'stem',
    stem: {
      kind: 'stem',
      name: node.name,
      shift,
      quantization,
      window,
      height,
      width,
      weight: reader.tensor(weight!, 'uint8', [outputs, image.channels, kernel, kernel], null),
      scales: reader.tensor(node.inputs[1]!, 'float32', [outputs], { kind: 'positive' }),
      outputs,
    },
  };
}

/**
 * The pool that a `MaxPool` is, or a `Max` with zeros wherever the window reaches the padding.
 * @throws NotRecognized; ModelError `model_corrupt`.
 */
export function recognizePool(reader: GraphReader, meanings: Meanings, node: OnnxNode): Meaning {
  const isMasked = node.opType === 'Max';
  if (isMasked) reader.expect(node, 2);
  const name = isMasked ? node.inputs[0]! : node.outputs[0]!;
  const pooled = reader.producer(name, 'MaxPool', 1, attributesOf(reader, name));
  const meaning = meanings.get(pooled.inputs[0]!);
  if (meaning?.kind !== 'stem') throw new NotRecognized('pattern', `MaxPool "${name}"`);
  const { outputs, ...stem } = meaning.stem;
  const window = windowOf(reader, pooled);
  if (window.kernel !== 3 || window.stride !== 2 || window.dilation !== 1 || window.pads.some((pad) => pad > 2)) {
    throw new NotRecognized('pattern', `MaxPool "${name}"`);
  }
  const [top, left, bottom, right] = window.pads;
  const height = windowOutput(stem.height, window, top, bottom);
  const width = windowOutput(stem.width, window, left, right);
  if (height < 1 || width < 1) throw new NotRecognized('size', `"${name}" is ${height}x${width}`);
  if (isMasked) {
    const values = (): Float32Array => zerosMask(stem.height, stem.width, height, width, window.pads);
    reader.tensor(node.inputs[1]!, 'float32', [1, 1, height, width], { kind: 'same', values });
  }
  const border = isMasked ? 0 : Number.NEGATIVE_INFINITY;
  const step: StemDraft = { ...stem, pool: window, border, output: null };
  step.output = { name: node.outputs[0]!, height, width, channels: outputs, quantization: null, producer: step };
  return { kind: 'map', map: step.output, layout: 'planes' };
}

/** 0 wherever a window of the pool reaches the padding, the lowest number elsewhere. */
function zerosMask(
  height: number,
  width: number,
  outHeight: number,
  outWidth: number,
  [top, left]: Pads,
): Float32Array {
  return Float32Array.from({ length: outHeight * outWidth }, (_, index) => {
    const y = Math.floor(index / outWidth) * 2 - top;
    const x = (index % outWidth) * 2 - left;
    return y < 0 || x < 0 || y + 3 > height || x + 3 > width ? 0 : LOWEST;
  });
}

/** The four attributes of a window: whatever they are, and nothing else. */
function attributesOf(reader: GraphReader, name: string): Record<string, readonly number[]> {
  const node = reader.nodeOf(name);
  return {
    kernel_shape: reader.integers(node, 'kernel_shape', 2),
    strides: reader.integers(node, 'strides', 2),
    dilations: reader.integers(node, 'dilations', 2),
    pads: reader.integers(node, 'pads', 4),
  };
}

/** A square window. @throws NotRecognized. */
function windowOf(reader: GraphReader, node: OnnxNode): Window {
  const square = (name: string): number => {
    const [vertical, horizontal] = reader.integers(node, name, 2);
    if (vertical !== horizontal) throw new NotRecognized('pattern', `${name} of "${node.name}"`);
    return vertical!;
  };
  const [top, left, bottom, right] = reader.integers(node, 'pads', 4);
  const pads: Pads = [top!, left!, bottom!, right!];
  return { kernel: square('kernel_shape'), stride: square('strides'), dilation: square('dilations'), pads };
}
