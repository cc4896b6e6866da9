/**
 * BitConfig: the hyper-parameters of a BiT network. Pure, no I/O.
 * Reference: transformers 5.18 `models/bit/configuration_bit.py`, and the defaults of `PreTrainedConfig` that reach it.
 */
import type * as z from 'zod';

/** Residual layer: ResNetV2 (norm and activation before each convolution) or ResNetV1.5 (after it). */
export type LayerType = 'preactivation' | 'bottleneck';

/** Activation behind group norm. `gelu` is the exact one (erf); HF's `swish` is `silu`, its `gelu_python` is `gelu`. */
export type HiddenAct = 'relu' | 'gelu' | 'silu';

/** Padding of every convolution: null is PyTorch's symmetric one, SAME is TensorFlow's, VALID is none. */
export type GlobalPadding = null | 'SAME' | 'VALID';

/** What the labels are to each other, in HF's words. */
export type ProblemType = 'single_label_classification' | 'multi_label_classification' | 'regression';

/** What makes scores of logits. */
export type FunctionToApply = 'softmax' | 'sigmoid' | 'none';

/** Hyper-parameters, in HF's names but camel case; every field is present. */
export interface BitConfig {
  readonly numChannels: number;
  /** Channels of the stem. */
  readonly embeddingSize: number;
  /** Channels of each stage, before `widthFactor`. */
  readonly hiddenSizes: readonly number[];
  /** Residual layers of each stage; as long as `hiddenSizes`. */
  readonly depths: readonly number[];
  readonly layerType: LayerType;
  readonly hiddenAct: HiddenAct;
  readonly globalPadding: GlobalPadding;
  /** Groups of every group norm. */
  readonly numGroups: number;
  /** Whether the stem's max pool pads its input dynamically (TensorFlow's SAME, with zeros). */
  readonly embeddingDynamicPadding: boolean;
  /** Input px per last feature map px; stages beyond it dilate instead of striding. */
  readonly outputStride: number;
  readonly widthFactor: number;
  /** Stochastic depth while training; no effect at inference. */
  readonly dropPathRate: number;
  /** 0 for a network without a head. */
  readonly numLabels: number;
  /** Names of the classes, `numLabels` of them. */
  readonly labels: readonly string[];
  /** Null where the config does not say. */
  readonly problemType: ProblemType | null;
  /** Feature maps of a `BitBackbone`, in the order of the network: `stem`, `stage1`, ... */
  readonly outFeatures: readonly string[];
  /** The same as indices: 0 is the stem. Never negative. */
  readonly outIndices: readonly number[];
}

/**
 * What Hugging Face's pipeline makes scores with: sigmoid where labels do not exclude each other, or where there is one.
 * Source: transformers 5.18 `pipelines/image_classification.py` (`postprocess`).
 */
export function functionToApply(config: Pick<BitConfig, 'problemType' | 'numLabels'>): FunctionToApply {
  if (config.problemType === 'multi_label_classification' || config.numLabels === 1) return 'sigmoid';
  return config.numLabels === 0 ? 'none' : 'softmax';
}

/** The config in Hugging Face's field names, complete: `parseBitConfig` gives the same config back. */
export function bitConfigToJson(config: BitConfig): Record<string, z.core.util.JSONType> {
  return {
    model_type: 'bit',
    num_channels: config.numChannels,
    embedding_size: config.embeddingSize,
    hidden_sizes: [...config.hiddenSizes],
    depths: [...config.depths],
    layer_type: config.layerType,
    hidden_act: config.hiddenAct,
    global_padding: config.globalPadding,
    num_groups: config.numGroups,
    drop_path_rate: config.dropPathRate,
    embedding_dynamic_padding: config.embeddingDynamicPadding,
    output_stride: config.outputStride,
    width_factor: config.widthFactor,
    id2label: Object.fromEntries(config.labels.map((label, index) => [String(index), label])),
    label2id: Object.fromEntries(config.labels.map((label, index) => [label, index])),
    problem_type: config.problemType,
    out_features: [...config.outFeatures],
    out_indices: [...config.outIndices],
    stage_names: ['stem', ...config.depths.map((_, index) => `stage${index + 1}`)],
  };
}

/** HF's names for classes that have none: `LABEL_0`, `LABEL_1`, ... */
export function defaultLabels(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `LABEL_${index}`);
}
