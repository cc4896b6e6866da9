/**
 * Rescale and normalise: 8-bit samples to `pixel_values`, through one table of 256 entries a channel.
 *
 * Source: transformers 5.18 `image_transforms.py`: `rescale` multiplies in float64 and rounds to float32,
 * `normalize` subtracts and divides in float32. Each rounding is repeated here, so the bits are the same.
 */
import type { ProcessorConfig, Size } from './config.ts';

/** The value of every sample, `[3, 256]`: entry `channel * 256 + sample`. */
export function normalizeTable(config: ProcessorConfig): Float32Array {
  const table = new Float32Array(3 * 256);
  for (let channel = 0; channel < 3; channel++) {
    const mean = Math.fround(config.normalize?.mean[channel] ?? 0);
    const std = Math.fround(config.normalize?.std[channel] ?? 1);
    for (let sample = 0; sample < 256; sample++) {
      const value = Math.fround(config.rescaleFactor === null ? sample : sample * config.rescaleFactor);
      table[channel * 256 + sample] = config.normalize === null ? value : Math.fround(value - mean) / std;
    }
  }
  return table;
}

/**
 * Fills `out`, `[3, out.height, out.width]`, from `rgb8`, `[height, width, 3]`; where `outSize` is larger, the rest
 * (right and bottom) stays as it is. `offset` is the index of the first value.
 */
export function normalize(
  rgb8: Uint8Array,
  { height, width }: Size,
  config: ProcessorConfig,
  out: Float32Array,
  offset = 0,
  outSize: Size = { height, width },
): void {
  const table = normalizeTable(config);
  const plane = outSize.height * outSize.width;
  for (let channel = 0; channel < 3; channel++) {
    const entries = table.subarray(channel * 256, channel * 256 + 256);
    let from = channel;
    for (let y = 0; y < height; y++) {
      const to = offset + channel * plane + y * outSize.width;
      for (let x = 0; x < width; x++, from += 3) out[to + x] = entries[rgb8[from]!]!;
    }
  }
}
