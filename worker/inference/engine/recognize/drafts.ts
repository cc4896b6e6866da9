/** A network while it is being recognised: maps and steps that point at each other, not yet numbered; and what a name of the graph stands for. */
import type {
  AverageStep,
  ClassifierStep,
  ConvolutionStep,
  NormStep,
  Quantization,
  StemStep,
  Window,
} from '../network.ts';

/** A feature map, and the step that makes it. */
export interface MapDraft {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly quantization: Quantization | null;
  readonly producer: StepDraft;
}

type Drafted<T, Maps extends string> = { -readonly [K in keyof T]: K extends Maps ? MapDraft : T[K] };

export type StemDraft = Drafted<Omit<StemStep, 'output'>, never> & { output: MapDraft | null };
export type ConvolutionDraft = Drafted<Omit<ConvolutionStep, 'residual' | 'output'>, 'input'> & {
  residual: MapDraft | null;
  output: MapDraft | null;
};
export type NormDraft = Drafted<Omit<NormStep, 'activation' | 'residual' | 'float' | 'quantized'>, 'input'> & {
  /** Null until something depends on it. */
  activation: NormStep['activation'] | null;
  residual: MapDraft | null;
  float: MapDraft | null;
  quantized: MapDraft | null;
};
export type AverageDraft = Drafted<Omit<AverageStep, 'output'>, 'input'> & { output: MapDraft | null };
export type ClassifierDraft = Drafted<Omit<ClassifierStep, 'output'>, 'input'> & { output: MapDraft | null };
export type StepDraft = StemDraft | ConvolutionDraft | NormDraft | AverageDraft | ClassifierDraft;

/** How a name of the graph lays a map out. */
export type Layout =
  /** [N, positions, channels] */
  | 'rows'
  /** [N, channels, positions] */
  | 'flat'
  /** [N, channels, height, width] */
  | 'planes'
  /** [N, channels / groups, groups, positions] */
  | 'places'
  /** [N, groups, channels / groups, positions] */
  | 'groups'
  /** [N, channels, height, width], channels in the checkpoint's order */
  | 'checkpoint'
  /** [N, channels] */
  | 'vector';

/** What a name of the graph stands for. */
export type Meaning =
  | { readonly kind: 'image'; readonly shift: number }
  | { readonly kind: 'quantized_image'; readonly shift: number; readonly quantization: Quantization }
  /** The stem's convolution, float32 planes before the pool. */
  | { readonly kind: 'stem'; readonly stem: PoollessStem }
  | { readonly kind: 'map'; readonly map: MapDraft; readonly layout: Layout }
  /** Rows behind a group norm, with or without the ReLU. */
  | { readonly kind: 'norm'; readonly norm: NormDraft; readonly rectified: boolean }
  /** uint8 rows of a map. */
  | { readonly kind: 'quantized'; readonly map: MapDraft }
  /** uint8 [N, channels] of a 1x1 map, which stays float32 in the network. */
  | {
      readonly kind: 'quantized_vector';
      readonly map: MapDraft;
      readonly quantization: Quantization;
      readonly isFlat: boolean;
    }
  /** A row that averages so many values. */
  | { readonly kind: 'average'; readonly count: number }
  /** Part of a pattern that a later node completes. */
  | { readonly kind: 'part' };

/** A stem before its pool is known. */
export type PoollessStem = Omit<StemDraft, 'pool' | 'border' | 'output'> & { readonly outputs: number };

/** Positions of a map. */
export function positionsOf({ height, width }: Pick<MapDraft, 'height' | 'width'>): number {
  return height * width;
}

/** Size of one axis behind a window. */
export function windowOutput(
  length: number,
  { kernel, stride, dilation }: Window,
  before: number,
  after: number,
): number {
  return Math.floor((length + before + after - dilation * (kernel - 1) - 1) / stride) + 1;
}
