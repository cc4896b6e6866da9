/** Windows of rows and their product with a kernel, as model-store/build/quantize/convolution-as-matmul.ts emits them. */
import type { OnnxNode } from '../../../../model-store/onnx/onnx-model.ts';
import type { Pads, Window } from '../network.ts';
import {
  type ClassifierDraft,
  type ConvolutionDraft,
  type MapDraft,
  type Meaning,
  positionsOf,
  windowOutput,
} from './drafts.ts';
import type { GraphReader } from './graph-reader.ts';
import type { Meanings } from './meanings.ts';
import { contradiction, NotRecognized } from './reasons.ts';

/** The quantized zero of every weight. */
export const WEIGHT_ZERO_POINT = 128;

/** Sums of products of 8 bits stay within 32 up to here. */
const MAX_DEPTH = 65_000;

/** The table of a window names its geometry: sizes of the map, kernel, stride, dilation, pads. */
const TABLE_NAME =
  /^windows_(\d{1,5})x(\d{1,5})_(\d{1,3})_(\d{1,3})_(\d{1,3})_(\d{1,4})_(\d{1,4})_(\d{1,4})_(\d{1,4})$/;

/** A table of windows that was read. */
interface Table {
  readonly height: number;
  readonly width: number;
  readonly window: Window;
  readonly outputHeight: number;
  readonly outputWidth: number;
}

/** Recognises products; remembers the tables that they share. */
export class Products {
  readonly #reader: GraphReader;
  readonly #meanings: Meanings;
  readonly #tables = new Map<string, Table>();

  constructor(reader: GraphReader, meanings: Meanings) {
    this.#reader = reader;
    this.#meanings = meanings;
  }

  /**
   * The convolution or the classifier that a `MatMulIntegerToFloat` is.
   * @throws NotRecognized; ModelError `model_corrupt` where sizes, scales or zero points contradict each other.
   */
  recognize(node: OnnxNode): Meaning {
    const hasBias = node.inputs.length === 7;
    this.#reader.expect(node, hasBias ? 7 : 6);
    const [rows] = node.inputs;
    const meaning = this.#meanings.get(rows!);
    if (meaning?.kind === 'quantized_vector' && meaning.isFlat) return this.#classifier(node, meaning);
    if (hasBias) throw new NotRecognized('pattern', `convolution "${node.name}" has a bias`);
    if (meaning?.kind === 'quantized') return this.#convolution(node, meaning.map, null);
    const { map, table } = this.#windows(rows!);
    return this.#convolution(node, map, table);
  }

  #classifier(node: OnnxNode, { map, quantization }: Extract<Meaning, { kind: 'quantized_vector' }>): Meaning {
    const [, weight, , scales, , , bias] = node.inputs;
    this.#checkQuantization(node, quantization);
    const outputs = this.#reader.shapeOf(weight!, 'uint8', 2)[1]!;
    checkDepth(node, map.channels, outputs);
    const step: ClassifierDraft = {
      kind: 'classifier',
      name: node.name,
      input: map,
      quantization,
      weight: this.#reader.tensor(weight!, 'uint8', [map.channels, outputs], null),
      scales: this.#reader.tensor(scales!, 'float32', [outputs], { kind: 'positive' }),
      bias: bias === undefined ? null : this.#reader.tensor(bias, 'float32', [outputs], { kind: 'finite' }),
      output: null,
    };
    step.output = {
      name: node.outputs[0]!,
      height: 1,
      width: 1,
      channels: outputs,
      quantization: null,
      producer: step,
    };
    return { kind: 'map', map: step.output, layout: 'vector' };
  }

  #convolution(node: OnnxNode, input: MapDraft, table: Table | null): Meaning {
    const [, weight, , scales] = node.inputs;
    this.#checkQuantization(node, input.quantization!);
    const window = table?.window ?? { kernel: 1, stride: 1, dilation: 1, pads: [0, 0, 0, 0] as const };
    const depth = window.kernel ** 2 * input.channels;
    const outputs = this.#reader.shapeOf(weight!, 'uint8', 2)[1]!;
    checkDepth(node, depth, outputs);
    const step: ConvolutionDraft = {
      kind: 'convolution',
      name: node.name,
      input,
      window,
      weight: this.#reader.tensor(weight!, 'uint8', [depth, outputs], null),
      scales: this.#reader.tensor(scales!, 'float32', [outputs], { kind: 'positive' }),
      residual: null,
      output: null,
    };
    const height = table?.outputHeight ?? input.height;
    const width = table?.outputWidth ?? input.width;
    step.output = { name: node.outputs[0]!, height, width, channels: outputs, quantization: null, producer: step };
    return { kind: 'map', map: step.output, layout: 'rows' };
  }

  #checkQuantization(
    { name, inputs }: OnnxNode,
    quantization: { readonly scale: number; readonly zeroPoint: number },
  ): void {
    const [, , scale, , zeroPoint, weightZeroPoint] = inputs;
    if (this.#reader.scalar(weightZeroPoint!, 'uint8') !== WEIGHT_ZERO_POINT) {
      throw new NotRecognized('pattern', `weights of "${name}" have another zero point than ${WEIGHT_ZERO_POINT}`);
    }
    const says = { scale: this.#reader.scale(scale!), zeroPoint: this.#reader.scalar(zeroPoint!, 'uint8') };
    if (says.scale === quantization.scale && says.zeroPoint === quantization.zeroPoint) return;
    throw contradiction(
      `"${name}" reads scale ${says.scale}, zero ${says.zeroPoint} of values with ${quantization.scale}, ${quantization.zeroPoint}`,
    );
  }

  #windows(name: string): { map: MapDraft; table: Table } {
    const reader = this.#reader;
    const rows = reader.producer(name, 'Reshape', 2);
    const gather = reader.producer(rows.inputs[0]!, 'Gather', 2, { axis: 1 });
    const [source, indices] = gather.inputs;
    const table = this.#table(indices!);
    const isPadded = table.window.pads.some((pad) => pad > 0);
    const map = isPadded ? this.#padded(source!) : this.#quantized(source!);
    if (map.height !== table.height || map.width !== table.width) {
      throw contradiction(
        `"${indices}" has windows of ${table.height}x${table.width}, "${map.name}" is ${map.height}x${map.width}`,
      );
    }
    const shape = reader.int64s(rows.inputs[1]!);
    const expected = [-1, table.outputHeight * table.outputWidth, table.window.kernel ** 2 * map.channels];
    if (shape.join() !== expected.join())
      throw contradiction(`"${rows.name}" is [${shape}] where [${expected}] follows`);
    return { map, table };
  }

  /** Rows with one more that stands for all outside, which is the zero point. */
  #padded(name: string): MapDraft {
    const reader = this.#reader;
    const pad = reader.producer(name, 'Pad', 3);
    const map = this.#quantized(pad.inputs[0]!);
    if (reader.int64s(pad.inputs[1]!).join() !== '0,0,0,0,1,0') throw new NotRecognized('pattern', `Pad "${pad.name}"`);
    const value = reader.scalar(pad.inputs[2]!, 'uint8');
    if (value !== map.quantization!.zeroPoint)
      throw contradiction(`"${pad.name}" pads with ${value}, which is not zero`);
    return map;
  }

  #quantized(name: string): MapDraft {
    const meaning = this.#meanings.get(name);
    if (meaning?.kind !== 'quantized') throw new NotRecognized('pattern', `"${name}" are no 8-bit rows`);
    return meaning.map;
  }

  /** The table of what each tap of each window reads. Its contents follow from its name; they are checked when they are read. */
  #table(name: string): Table {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const reader = this.#reader;
    const min = reader.producer(name, 'Min', 2);
    const sums = reader.producer(min.inputs[0]!, 'Add', 2);
    const numbers = TABLE_NAME.exec(name)?.slice(1).map(Number);
    if (numbers === undefined) throw new NotRecognized('pattern', `windows "${name}"`);
    const [height, width, kernel, stride, dilation, top, left, bottom, right] = numbers as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const pads: Pads = [top, left, bottom, right];
    const window: Window = { kernel, stride, dilation, pads };
    const outside = height * width;
    const outputHeight = checkWindow(name, height, window, top, bottom);
    const outputWidth = checkWindow(name, width, window, left, right);
    if (reader.scalar(min.inputs[1]!, 'int32') !== outside)
      throw contradiction(`"${name}" has another place for outside`);
    const taps = (size: number, length: number, before: number, step: number) => (): Int32Array =>
      Int32Array.from({ length: size * kernel }, (_, index) => {
        const at = Math.floor(index / kernel) * stride + (index % kernel) * dilation - before;
        return at >= 0 && at < length ? at * step : outside;
      });
    const [lines, columns] = sums.inputs;
    const same = (values: () => Int32Array) => ({ kind: 'same', values }) as const;
    reader.tensor(lines!, 'int32', [outputHeight, 1, kernel, 1], same(taps(outputHeight, height, top, width)));
    reader.tensor(columns!, 'int32', [1, outputWidth, 1, kernel], same(taps(outputWidth, width, left, 1)));
    const table = { height, width, window, outputHeight, outputWidth };
    this.#tables.set(name, table);
    return table;
  }
}

/** The output's size along one axis. @throws NotRecognized where the window is none. */
export function checkWindow(name: string, length: number, window: Window, before: number, after: number): number {
  const { kernel, stride, dilation } = window;
  const reach = dilation * (kernel - 1) + 1;
  const size = windowOutput(length, window, before, after);
  const isWindow = kernel >= 1 && stride >= 1 && dilation >= 1 && Math.min(before, after) >= 0;
  if (!isWindow || Math.max(before, after) > reach || !(size >= 1)) {
    throw new NotRecognized('size', `window of "${name}" over ${length} px`);
  }
  return size;
}

function checkDepth({ name }: OnnxNode, depth: number, outputs: number): void {
  if (depth > MAX_DEPTH) throw new NotRecognized('size', `"${name}" adds up ${depth} products`);
  if (outputs < 1) throw contradiction(`"${name}" has ${outputs} outputs`);
}

/** Multiply-accumulates of a convolution. */
export function macsOf({ input, window, output }: ConvolutionDraft): number {
  return window.kernel ** 2 * input.channels * output!.channels * positionsOf(output!);
}
