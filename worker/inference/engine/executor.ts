/** Runs a network's steps on the kernels, in one memory that the plan has laid out. No I/O, no clock. */

import { MAX_WINOGRAD4_WEIGHT_SUM, winogradTile } from './kernel-needs.ts';
import type { Kernels } from './kernels.ts';
import { instantiateKernels } from './kernels.ts';
import { productDepth, rowStride } from './layout.ts';
import type { EnginePlan, PlannedValue } from './memory-plan.ts';
import type {
  AverageStep,
  ClassifierStep,
  ConvolutionStep,
  Int8Network,
  NetworkValue,
  NormStep,
  StemStep,
  TensorId,
  ValueId,
} from './network.ts';
import { type TensorRole, tensorRoles } from './tensor-roles.ts';

/** A network in memory. Whoever calls it keeps its order: constants first, then steps as often as wanted. */
export class Executor {
  readonly memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  readonly #network: Int8Network;
  readonly #plan: EnginePlan;
  readonly #roles: readonly (TensorRole | null)[];
  /** Weights that are too large for Winograd's tiles of 4x4. */
  readonly #hasLargeSums = new Set<TensorId>();

  /** Takes the memory that the plan asks for. @throws RangeError if there is none. */
  constructor(module: WebAssembly.Module, network: Int8Network, plan: EnginePlan) {
    this.memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages });
    this.#kernels = instantiateKernels(module, this.memory);
    this.#network = network;
    this.#plan = plan;
    this.#roles = tensorRoles(network);
  }

  /** Brings a constant, whose bytes are at the plan's staging address as the file has them, into the form that the kernels read. */
  load(id: TensorId): void {
    const role = this.#roles[id] ?? null;
    if (role === null) return;
    const source = this.#plan.staging.address;
    const target = this.#plan.tensors[id]!.address;
    if (role.kind === 'floats') this.#loadFloats(role.count, role.factor, source, target);
    else {
      const { runs, inputs, outputs } = role;
      if (role.order === 'planes') this.#orderRuns(source, role);
      this.#kernels.packWeights(source, runs, inputs, outputs, target);
      const largest = this.#kernels.largestWeightSum(target, productDepth(runs, inputs), rowStride(outputs))!;
      if (largest > MAX_WINOGRAD4_WEIGHT_SUM) this.#hasLargeSums.add(id);
    }
  }

  /**
   * Runs one step; the steps before it must have run.
   * @throws WebAssembly.RuntimeError if a kernel traps: the memory is then in no known state.
   */
  run(index: number): void {
    const step = this.#network.steps[index]!;
    switch (step.kind) {
      case 'stem':
        this.#stem(step);
        break;
      case 'norm':
        this.#norm(step);
        break;
      case 'convolution':
        this.#convolution(step);
        break;
      case 'average':
        this.#average(step);
        break;
      case 'classifier':
        this.#classifier(step);
        break;
    }
  }

  #loadFloats(count: number, factor: number, source: number, target: number): void {
    const values = new Float32Array(this.memory.buffer, source, count);
    const output = new Float32Array(this.memory.buffer, target, rowStride(count)).fill(0);
    // The product is rounded to float32 when it is stored: onnxruntime multiplies the two scales in float32 too.
    for (let i = 0; i < count; i++) output[i] = values[i]! * factor;
  }

  /** [outputs, channels, lines, columns] to [lines, columns, channels, outputs], in place: a few thousand weights of the stem. */
  #orderRuns(source: number, { runs, inputs, outputs }: TensorRole & { readonly kind: 'weights' }): void {
    const bytes = new Uint8Array(this.memory.buffer, source, runs * inputs * outputs);
    const planes = bytes.slice();
    const channels = inputs / runs;
    let at = 0;
    for (let line = 0; line < runs; line++) {
      for (let column = 0; column < runs; column++) {
        for (let channel = 0; channel < channels; channel++) {
          for (let output = 0; output < outputs; output++) {
            bytes[at++] = planes[((output * channels + channel) * runs + line) * runs + column]!;
          }
        }
      }
    }
  }

  #stem(step: StemStep): void {
    const { input } = this.#network;
    const { image, pixels, scratch } = this.#plan;
    const { window, quantization, pool } = step;
    const { border } = image;
    const { zeroPoint } = quantization;
    const pixel = input.channels;
    const pitch = (border.left + input.width + border.right) * pixel;
    this.#fillBorder(image, input.height, input.width, pixel, zeroPoint);
    const inside = image.address + border.top * pitch + border.left * pixel;
    this.#kernels.quantizeImage(
      pixels,
      input.channels,
      input.height,
      input.width,
      step.shift,
      quantization.scale,
      zeroPoint,
      inside,
      pitch,
    );
    const [top, left] = window.pads;
    const run = rowStride(window.kernel * pixel);
    this.#kernels.stem(
      inside - top * pitch - left * pixel,
      pitch,
      pixel,
      zeroPoint,
      window.stride,
      window.kernel,
      window.dilation * pitch,
      run,
      step.height,
      step.width,
      this.#tensor(step.weight),
      rowStride(this.#value(step.output).channels),
      this.#tensor(step.scales),
      pool.pads[0],
      pool.pads[1],
      step.border,
      this.#value(step.output).height,
      this.#value(step.output).width,
      this.#at(step.output).address,
      ...this.#statisticsOf(step.output),
      scratch,
    );
  }

  #norm(step: NormStep): void {
    const { factors } = this.#plan;
    const { groups } = this.#network;
    const { height, width, channels } = this.#value(step.input);
    const columns = rowStride(channels);
    const from = this.#at(step.input);
    const gamma = this.#tensor(step.gamma);
    const beta = this.#tensor(step.beta);
    this.#kernels.normFactors(from.statistics!, groups, channels, columns, gamma, beta, step.epsilon, factors);
    const map = step.quantized === null ? null : this.#at(step.quantized);
    const quantization = step.quantized === null ? null : this.#value(step.quantized).quantization;
    const border = map?.border ?? { top: 0, left: 0, bottom: 0, right: 0 };
    const pitch = (border.left + width + border.right) * columns;
    if (map !== null) this.#fillBorder(map, height, width, columns, quantization!.zeroPoint);
    this.#kernels.normalizeRows(
      from.address,
      height,
      width,
      columns,
      factors,
      step.residual === null ? 0 : this.#at(step.residual).address,
      step.activation === 'relu' ? 0 : Number.NEGATIVE_INFINITY,
      step.float === null ? 0 : this.#at(step.float).address,
      map === null ? 0 : map.address + border.top * pitch + border.left * columns,
      pitch,
      quantization?.scale ?? 1,
      quantization?.zeroPoint ?? 0,
    );
  }

  #convolution(step: ConvolutionStep): void {
    const { scratch } = this.#plan;
    const input = this.#value(step.input);
    const output = this.#value(step.output);
    const map = this.#at(step.input);
    const pixel = rowStride(input.channels);
    const { kernel, stride, dilation, pads } = step.window;
    const border = map.border!;
    const pitch = (border.left + input.width + border.right) * pixel;
    const source = map.address + (border.top - pads[0]) * pitch + (border.left - pads[1]) * pixel;
    const { zeroPoint } = input.quantization!;
    const weights = this.#tensor(step.weight);
    const scales = this.#tensor(step.scales);
    const columns = rowStride(output.channels);
    const { address } = this.#at(step.output);
    const statistics = this.#statisticsOf(step.output);
    const tile = winogradTile(step, this.#network);
    if (tile !== null) {
      const { convolveWinograd, convolveWinograd4 } = this.#kernels;
      const convolve = tile === 4 && !this.#hasLargeSums.has(step.weight) ? convolveWinograd4 : convolveWinograd;
      const sizes = [pixel, zeroPoint, output.height, output.width] as const;
      const target = [weights, columns, scales, address] as const;
      convolve(source, pitch, ...sizes, ...target, ...statistics, scratch);
      return;
    }
    // Without dilation, a line of a window is one run of bytes.
    const isDense = dilation === 1;
    this.#kernels.convolve(
      source,
      pitch,
      pixel,
      zeroPoint,
      stride,
      kernel,
      dilation * pitch,
      isDense ? 1 : kernel,
      dilation * pixel,
      isDense ? kernel * pixel : pixel,
      output.width,
      output.height * output.width,
      weights,
      columns,
      scales,
      0,
      step.residual === null ? 0 : this.#at(step.residual).address,
      address,
      ...statistics,
      scratch,
    );
  }

  #average(step: AverageStep): void {
    const { height, width, channels } = this.#value(step.input);
    const positions = height * width;
    const { address } = this.#at(step.input);
    this.#kernels.averageRows(address, positions, rowStride(channels), 1 / positions, this.#at(step.output).address);
  }

  #classifier(step: ClassifierStep): void {
    const depth = rowStride(this.#value(step.input).channels);
    const { scale, zeroPoint } = step.quantization;
    const { scratch } = this.#plan;
    this.#kernels.quantizeValues(this.#at(step.input).address, depth, scale, zeroPoint, scratch);
    this.#kernels.convolve(
      scratch,
      depth,
      depth,
      zeroPoint,
      1,
      1,
      depth,
      1,
      depth,
      depth,
      1,
      1,
      this.#tensor(step.weight),
      rowStride(this.#value(step.output).channels),
      this.#tensor(step.scales),
      step.bias === null ? 0 : this.#tensor(step.bias),
      0,
      this.#at(step.output).address,
      0,
      0,
      0,
      0,
      scratch + depth,
    );
  }

  /** Arguments of a kernel that makes a value: where its statistics go (0 for nowhere), channels, groups, one value's share. */
  #statisticsOf(id: ValueId): readonly [statistics: number, channels: number, groups: number, share: number] {
    const { groups } = this.#network;
    const { height, width, channels } = this.#value(id);
    return [this.#at(id).statistics ?? 0, channels, groups, 1 / ((height * width * channels) / groups)];
  }

  #fillBorder(
    map: Pick<PlannedValue, 'address' | 'border'>,
    height: number,
    width: number,
    pixel: number,
    value: number,
  ): void {
    const { top, left, bottom, right } = map.border!;
    if (top + left + bottom + right === 0) return;
    this.#kernels.fillBorder(map.address, height, width, top, left, bottom, right, pixel, value);
  }

  #value(id: ValueId): NetworkValue {
    return this.#network.values[id]!;
  }

  #at(id: ValueId): PlannedValue {
    return this.#plan.values[id]!;
  }

  #tensor(id: TensorId): number {
    return this.#plan.tensors[id]!.address;
  }
}
