/**
 * Padding and output sizes of convolutions and pools, for sizes known and unknown. Pure arithmetic.
 * Reference: transformers 5.18 `modeling_bit.py`, `get_padding_value` and `DynamicPad2d`.
 */
import type { GlobalPadding } from '../../bit-config.ts';

/** Height and width in px of an image or feature map; null where they are free. */
export interface SpatialSize {
  readonly height: number;
  readonly width: number;
}

/** A square window that moves over a feature map. */
export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

/** Pads in px: [top, left, bottom, right]. */
export type Pads = readonly [number, number, number, number];

/** Total padding of one axis so that the output is the input over the stride, rounded up (TensorFlow's SAME). */
export function samePadding(length: number, { kernel, stride, dilation }: Window): number {
  return Math.max((Math.ceil(length / stride) - 1) * stride + (kernel - 1) * dilation + 1 - length, 0);
}

/** SAME pads of both axes: the odd px goes to the bottom and the right. */
export function samePads(size: SpatialSize, window: Window): Pads {
  const vertical = samePadding(size.height, window);
  const horizontal = samePadding(size.width, window);
  const top = Math.floor(vertical / 2);
  const left = Math.floor(horizontal / 2);
  return [top, left, vertical - top, horizontal - left];
}

/**
 * Pads of a convolution, as HF's `WeightStandardizedConv2d` has them.
 * @returns null where they depend on a size that is free: then ONNX's `auto_pad` `SAME_UPPER` says the same.
 */
export function convolutionPads(padding: GlobalPadding, window: Window, size: SpatialSize | null): Pads | null {
  const { kernel, stride, dilation } = window;
  if (padding === 'VALID') return [0, 0, 0, 0];
  const reach = dilation * (kernel - 1);
  if (padding === 'SAME' && (stride !== 1 || reach % 2 !== 0)) return size === null ? null : samePads(size, window);
  const pad = Math.floor((stride - 1 + reach) / 2);
  return [pad, pad, pad, pad];
}

/** Size after a window with the given pads (rounded down); null where the input's is free. */
export function windowOutputSize(size: SpatialSize | null, window: Window, pads: Pads | null): SpatialSize | null {
  if (size === null || pads === null) return null;
  const [top, left, bottom, right] = pads;
  const reach = window.dilation * (window.kernel - 1) + 1;
  return {
    height: Math.floor((size.height + top + bottom - reach) / window.stride) + 1,
    width: Math.floor((size.width + left + right - reach) / window.stride) + 1,
  };
}
