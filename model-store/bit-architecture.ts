/**
 * What follows from a BitConfig: channels, strides, and the names and shapes of every weight. Pure, no I/O.
 * Reference: transformers 5.18 `models/bit/modeling_bit.py`.
 */
import type { BitConfig } from './bit-config.ts';

/** One stage of the encoder. */
export interface StagePlan {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of the 3x3 convolution. */
  readonly midChannels: number;
  readonly depth: number;
  /** Stride of the first layer; the others have 1. */
  readonly stride: number;
  /** `dilation` as `BitStage` gets it; only bottleneck layers use it. */
  readonly dilation: number;
}

/** A field that contradicts others, and how. */
export interface Contradiction {
  readonly field: string;
  readonly problem: string;
}

/** Rounds channels to a multiple of 8, never under 8 and never down by more than a tenth (`make_div`). */
export function makeDivisible(value: number): number {
  const rounded = Math.max(8, Math.floor(Math.trunc(value + 4) / 8) * 8);
  return rounded < 0.9 * value ? rounded + 8 : rounded;
}

/** The stages of the encoder, in order (`BitEncoder`). */
export function planStages(config: BitConfig): StagePlan[] {
  const stages: StagePlan[] = [];
  let inChannels = config.embeddingSize;
  let totalStride = 4;
  let dilation = 1;
  for (const [index, depth] of config.depths.entries()) {
    const outChannels = makeDivisible(config.hiddenSizes[index]! * config.widthFactor);
    let stride = index === 0 ? 1 : 2;
    if (totalStride >= config.outputStride) {
      dilation *= stride;
      stride = 1;
    }
    stages.push({ inChannels, outChannels, midChannels: makeDivisible(outChannels / 4), depth, stride, dilation });
    totalStride *= stride;
    inChannels = outChannels;
  }
  return stages;
}

/** Channels of `last_hidden_state` and `pooler_output`. */
export function lastChannels(config: BitConfig): number {
  return planStages(config).at(-1)!.outChannels;
}

/**
 * Names and shapes of the weights, as in the state dict of HF's `BitForImageClassification`;
 * without `classifier.1.*` where `numLabels` is 0.
 */
export function weightShapes(config: BitConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const norm = (name: string, channels: number): void => {
    shapes.set(`${name}.weight`, [channels]);
    shapes.set(`${name}.bias`, [channels]);
  };
  const preactivation = config.layerType === 'preactivation';
  shapes.set('bit.embedder.convolution.weight', [config.embeddingSize, config.numChannels, 7, 7]);
  if (!preactivation) norm('bit.embedder.norm', config.embeddingSize);
  for (const [stageIndex, stage] of planStages(config).entries()) {
    const { midChannels, outChannels } = stage;
    for (let layer = 0; layer < stage.depth; layer++) {
      const prefix = `bit.encoder.stages.${stageIndex}.layers.${layer}`;
      const inChannels = layer === 0 ? stage.inChannels : outChannels;
      if (layer === 0) {
        shapes.set(`${prefix}.downsample.conv.weight`, [outChannels, inChannels, 1, 1]);
        if (!preactivation) norm(`${prefix}.downsample.norm`, outChannels);
      }
      norm(`${prefix}.norm1`, preactivation ? inChannels : midChannels);
      shapes.set(`${prefix}.conv1.weight`, [midChannels, inChannels, 1, 1]);
      norm(`${prefix}.norm2`, midChannels);
      shapes.set(`${prefix}.conv2.weight`, [midChannels, midChannels, 3, 3]);
      norm(`${prefix}.norm3`, preactivation ? midChannels : outChannels);
      shapes.set(`${prefix}.conv3.weight`, [outChannels, midChannels, 1, 1]);
    }
  }
  const features = config.hiddenSizes.at(-1)!;
  if (preactivation) norm('bit.norm', features);
  if (config.numLabels > 0) {
    shapes.set('classifier.1.weight', [config.numLabels, features]);
    shapes.set('classifier.1.bias', [config.numLabels]);
  }
  return shapes;
}

/**
 * The first field of a config that contradicts another so that HF could not build or run the network; null where none does.
 */
export function describeContradiction(config: BitConfig): Contradiction | null {
  const { hiddenSizes, depths, widthFactor, numGroups, layerType } = config;
  if (hiddenSizes.length !== depths.length) {
    return {
      field: 'depths',
      problem: `has ${depths.length} stages, hidden_sizes has ${hiddenSizes.length}; they must be as many`,
    };
  }
  const configured = hiddenSizes.at(-1)!;
  const actual = lastChannels(config);
  if (actual !== configured && (layerType === 'preactivation' || config.numLabels > 0)) {
    const part = layerType === 'preactivation' ? 'final norm' : 'classifier';
    return {
      field: widthFactor === 1 ? 'hidden_sizes' : 'width_factor',
      problem:
        `last stage has ${actual} channels (${configured} x width_factor ${widthFactor}, to a multiple of 8) ` +
        `but the ${part} expects hidden_sizes' ${configured}`,
    };
  }
  for (const [name, [channels]] of weightShapes(config)) {
    if (name.endsWith('.bias') && name !== 'classifier.1.bias' && channels! % numGroups !== 0) {
      return {
        field: 'num_groups',
        problem: `${numGroups} does not divide the ${channels} channels of ${name.slice(0, -'.bias'.length)}`,
      };
    }
  }
  return null;
}
