/**
 * The network: BiT's layers in the order of their execution, told to an emitter that knows how to compute them
 * (in float32, float16 or int8). Pure, no I/O.
 * Reference: transformers 5.18 `models/bit/modeling_bit.py`.
 */
import { ModelError } from '../../../worker/errors.ts';
import { planStages } from '../../bit-architecture.ts';
import type { BitConfig, GlobalPadding, HiddenAct } from '../../bit-config.ts';
import type { Checkpoint, WeightTensor } from '../checkpoint/checkpoint.ts';
import { convolutionPads, type Pads, type SpatialSize, type Window, windowOutputSize } from './padding.ts';
import { standardizeKernel } from './weight-standardization.ts';

/** Epsilon of every group norm (`nn.GroupNorm`'s default). */
export const GROUP_NORM_EPSILON = 1e-5;

/** What every emitter knows of a value: its channels, and its height and width where they are fixed. */
export interface FeatureMap {
  readonly channels: number;
  readonly size: SpatialSize | null;
}

/** A convolution whose kernel is standardized already. */
export interface Convolution {
  /** Short for HF's module name, which the file would repeat thousands of times: `s0.1.conv1` (see `moduleName`). */
  readonly name: string;
  /** OIHW. */
  readonly kernel: WeightTensor;
  readonly window: Window;
  /** Null where the pads depend on a free size: SAME_UPPER. */
  readonly pads: Pads | null;
  readonly outputSize: SpatialSize | null;
}

/** A group norm and the activation behind it. */
export interface GroupNorm {
  readonly name: string;
  readonly groups: number;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  /** Null for none. */
  readonly activation: HiddenAct | null;
}

/** The stem's max pool, 3x3 with stride 2. */
export interface StemPool {
  readonly name: string;
  /** Zeros around the input of the pool, 1 px on each side, before the dynamic ones. */
  readonly border: boolean;
  /** TensorFlow's SAME padding, with zeros. */
  readonly dynamic: boolean;
}

/** The classifier: a matrix [labels, features] and a bias. */
export interface Classifier {
  readonly name: string;
  readonly weight: WeightTensor;
  readonly bias: Float32Array;
}

/** Computes layers. `T` is a value of the graph. */
export interface LayerEmitter<T extends FeatureMap> {
  convolution(input: T, convolution: Convolution): T;
  groupNorm(input: T, norm: GroupNorm): T;
  activation(input: T, name: string, activation: HiddenAct): T;
  add(input: T, shortcut: T, name: string): T;
  /** Zeros around a feature map, 1 px on each side. */
  border(input: T, name: string): T;
  stemPool(input: T, pool: StemPool): T;
  /** Mean over height and width: [N, C, 1, 1]. */
  globalPool(input: T, name: string): T;
  classifier(pooled: T, classifier: Classifier): T;
}

/** An emitted network. */
export interface Network<T> {
  /** What can be an output, by name: `stem`, `stage1` ..., `last_hidden_state`, `pooler_output`, `logits`. */
  readonly values: ReadonlyMap<string, T>;
  /** Multiply-accumulates of one image; null where the input size is free. */
  readonly macs: number | null;
}

/** Every output that a config's network has, in the order of the network. */
export function outputNames(config: BitConfig): string[] {
  const stages = config.depths.map((_, index) => `stage${index + 1}`);
  return ['stem', ...stages, 'last_hidden_state', 'pooler_output', ...(config.numLabels > 0 ? ['logits'] : [])];
}

/**
 * Runs the layers through an emitter.
 * @param input the normalised image [N, numChannels, H, W].
 * @throws ModelError `invalid_model_config` where a fixed input size is too small for the network.
 */
export function emitNetwork<T extends FeatureMap>(
  checkpoint: Checkpoint,
  emitter: LayerEmitter<T>,
  input: T,
): Network<T> {
  const { config } = checkpoint;
  const layers = new Layers(checkpoint, emitter);
  const values = new Map<string, T>();
  let hidden = stem(config, emitter, layers, input);
  values.set('stem', hidden);
  for (const [stageIndex, stage] of planStages(config).entries()) {
    for (let layer = 0; layer < stage.depth; layer++) {
      const prefix = `s${stageIndex}.${layer}`;
      const stride = layer === 0 ? stage.stride : 1;
      if (config.layerType === 'preactivation') {
        hidden = preactivationLayer(emitter, layers, hidden, prefix, stride, layer === 0);
      } else {
        const firstDilation = stage.dilation === 1 || stage.dilation === 2 ? 1 : 2;
        const dilation = layer === 0 ? firstDilation : stage.dilation;
        hidden = bottleneckLayer(config, emitter, layers, hidden, prefix, stride, dilation, layer === 0);
      }
    }
    values.set(`stage${stageIndex + 1}`, hidden);
  }
  if (config.layerType === 'preactivation') hidden = layers.norm(hidden, 'norm', true);
  values.set('last_hidden_state', hidden);
  const pooled = emitter.globalPool(hidden, 'pooler');
  values.set('pooler_output', pooled);
  if (config.numLabels > 0) {
    const weight = layers.weight('classifier.1.weight');
    const bias = layers.weight('classifier.1.bias').data;
    values.set('logits', emitter.classifier(pooled, { name: 'classifier', weight, bias }));
    layers.countMacs(weight.data.length);
  }
  return { values, macs: layers.macs };
}

function stem<T extends FeatureMap>(config: BitConfig, emitter: LayerEmitter<T>, layers: Layers<T>, input: T): T {
  const name = 'embedder';
  const border = config.globalPadding !== 'SAME';
  const dynamic = config.embeddingDynamicPadding;
  let hidden = layers.convolution(input, `${name}.convolution`, 7, 2, 1);
  if (config.layerType === 'preactivation') {
    return emitter.stemPool(hidden, { name: `${name}.pooler`, border, dynamic });
  }
  // The border comes before the norm: its zeros count in the mean and the variance.
  if (border) hidden = emitter.border(hidden, `${name}.pad`);
  hidden = layers.norm(hidden, `${name}.norm`, true);
  return emitter.stemPool(hidden, { name: `${name}.pooler`, border: false, dynamic });
}

/** ResNetV2: norm and activation before each convolution; the 3x3 one carries the stride, and no dilation in HF. */
function preactivationLayer<T extends FeatureMap>(
  emitter: LayerEmitter<T>,
  layers: Layers<T>,
  input: T,
  prefix: string,
  stride: number,
  first: boolean,
): T {
  const preactivated = layers.norm(input, `${prefix}.norm1`, true);
  const shortcut = first ? layers.convolution(preactivated, `${prefix}.downsample.conv`, 1, stride, 1) : input;
  let hidden = layers.convolution(preactivated, `${prefix}.conv1`, 1, 1, 1);
  hidden = layers.norm(hidden, `${prefix}.norm2`, true);
  hidden = layers.convolution(hidden, `${prefix}.conv2`, 3, stride, 1);
  hidden = layers.norm(hidden, `${prefix}.norm3`, true);
  hidden = layers.convolution(hidden, `${prefix}.conv3`, 1, 1, 1);
  return emitter.add(hidden, shortcut, `${prefix}.add`);
}

/** ResNetV1.5: norm and activation behind each convolution, the last activation behind the sum. */
function bottleneckLayer<T extends FeatureMap>(
  config: BitConfig,
  emitter: LayerEmitter<T>,
  layers: Layers<T>,
  input: T,
  prefix: string,
  stride: number,
  dilation: number,
  first: boolean,
): T {
  let shortcut = input;
  if (first) {
    shortcut = layers.convolution(input, `${prefix}.downsample.conv`, 1, stride, 1);
    shortcut = layers.norm(shortcut, `${prefix}.downsample.norm`, false);
  }
  let hidden = layers.convolution(input, `${prefix}.conv1`, 1, 1, 1);
  hidden = layers.norm(hidden, `${prefix}.norm1`, true);
  hidden = layers.convolution(hidden, `${prefix}.conv2`, 3, stride, dilation);
  hidden = layers.norm(hidden, `${prefix}.norm2`, true);
  hidden = layers.convolution(hidden, `${prefix}.conv3`, 1, 1, 1);
  hidden = layers.norm(hidden, `${prefix}.norm3`, false);
  const sum = emitter.add(hidden, shortcut, `${prefix}.add`);
  return emitter.activation(sum, `${prefix}.activation`, config.hiddenAct);
}

/** HF's name of a module: `s0.1.conv1` is `bit.encoder.stages.0.layers.1.conv1`. */
export function moduleName(name: string): string {
  if (name === 'classifier') return 'classifier.1';
  return `bit.${name.replace(/^s(\d+)\.(\d+)/, 'encoder.stages.$1.layers.$2')}`;
}

/** Fetches weights by HF's names and hands the layers to the emitter. */
class Layers<T extends FeatureMap> {
  readonly #weights: ReadonlyMap<string, WeightTensor>;
  readonly #emitter: LayerEmitter<T>;
  readonly #padding: GlobalPadding;
  readonly #groups: number;
  readonly #activation: HiddenAct;
  macs: number | null = 0;

  constructor({ config, weights }: Checkpoint, emitter: LayerEmitter<T>) {
    this.#weights = weights;
    this.#emitter = emitter;
    this.#padding = config.globalPadding;
    this.#groups = config.numGroups;
    this.#activation = config.hiddenAct;
  }

  weight(name: string): WeightTensor {
    const tensor = this.#weights.get(name);
    if (tensor === undefined) throw new ModelError('invalid_checkpoint', `tensor "${name}" is missing`);
    return tensor;
  }

  countMacs(count: number | null): void {
    this.macs = this.macs === null || count === null ? null : this.macs + count;
  }

  convolution(input: T, name: string, kernelSize: number, stride: number, dilation: number): T {
    const window: Window = { kernel: kernelSize, stride, dilation };
    const pads = convolutionPads(this.#padding, window, input.size);
    const outputSize = windowOutputSize(input.size, window, pads);
    if (outputSize !== null && (outputSize.height < 1 || outputSize.width < 1)) {
      throw new ModelError(
        'invalid_model_config',
        `${name}: a ${kernelSize}x${kernelSize} kernel does not fit a ${input.size!.width}x${input.size!.height} feature map; the input is too small`,
      );
    }
    const kernel = standardizeKernel(this.weight(`${moduleName(name)}.weight`));
    this.countMacs(outputSize && kernel.data.length * outputSize.height * outputSize.width);
    return this.#emitter.convolution(input, { name, kernel, window, pads, outputSize });
  }

  norm(input: T, name: string, activated: boolean): T {
    return this.#emitter.groupNorm(input, {
      name,
      groups: this.#groups,
      weight: this.weight(`${moduleName(name)}.weight`).data,
      bias: this.weight(`${moduleName(name)}.bias`).data,
      activation: activated ? this.#activation : null,
    });
  }
}
