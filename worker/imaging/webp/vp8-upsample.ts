/**
 * Chroma upsampling and colour conversion (libwebp src/dsp/upsampling.c `UPSAMPLE_FUNC`, src/dsp/yuv.h): each pixel
 * takes 9/16, 3/16, 3/16 and 1/16 of its four nearest chroma samples, then 14-bit fixed-point BT.601.
 */

/**
 * Converts one row of luma, or a pair of rows that lies between two rows of chroma.
 *
 * @param topY index of the upper luma row; -1 where only the lower one is wanted
 * @param bottomY index of the lower luma row; -1 where only the upper one is wanted
 * @param aboveUv index of the upper chroma row in `u` and `v`
 * @param belowUv index of the lower chroma row
 * @param rgb out, RGB8; the element type clamps
 * @param topRgb index of the upper row's output
 * @param bottomRgb index of the lower row's output
 * @param width px
 */
export function upsampleRowPair(
  luma: Uint8ClampedArray,
  topY: number,
  bottomY: number,
  u: Uint8ClampedArray,
  v: Uint8ClampedArray,
  aboveUv: number,
  belowUv: number,
  rgb: Uint8ClampedArray,
  topRgb: number,
  bottomRgb: number,
  width: number,
): void {
  if (topY >= 0) upsampleRow(luma, topY, u, v, aboveUv, belowUv, rgb, topRgb, width);
  if (bottomY >= 0) upsampleRow(luma, bottomY, u, v, belowUv, aboveUv, rgb, bottomRgb, width);
}

/** One row, between its nearer chroma row and its farther one. U and V travel together in one number, 16 bits each. */
function upsampleRow(
  luma: Uint8ClampedArray,
  y: number,
  u: Uint8ClampedArray,
  v: Uint8ClampedArray,
  near: number,
  far: number,
  rgb: Uint8ClampedArray,
  out: number,
  width: number,
): void {
  let nearLeft = u[near]! | (v[near]! << 16);
  let farLeft = u[far]! | (v[far]! << 16);
  writePixel(rgb, out, luma[y]!, (3 * nearLeft + farLeft + 0x00020002) >> 2);
  let o = out + 3;
  let yAt = y + 1;
  const pairs = (width - 1) >> 1;
  for (let x = 1; x <= pairs; x++) {
    const nearRight = u[near + x]! | (v[near + x]! << 16);
    const farRight = u[far + x]! | (v[far + x]! << 16);
    const sum = nearLeft + nearRight + farLeft + farRight + 0x00080008;
    // The reference halves twice: (sum + 2 * diagonal) / 8, then the mean with the nearest sample.
    const towardsLeft = (sum + 2 * (nearRight + farLeft)) >> 3;
    const towardsRight = (sum + 2 * (nearLeft + farRight)) >> 3;
    writePixel(rgb, o, luma[yAt]!, (towardsLeft + nearLeft) >> 1);
    writePixel(rgb, o + 3, luma[yAt + 1]!, (towardsRight + nearRight) >> 1);
    o += 6;
    yAt += 2;
    nearLeft = nearRight;
    farLeft = farRight;
  }
  if ((width & 1) === 0) writePixel(rgb, o, luma[yAt]!, (3 * nearLeft + farLeft + 0x00020002) >> 2);
}

/** libwebp `VP8YUVToR`, `VP8YUVToG`, `VP8YUVToB`; `uv` holds U in its low byte, V in bits 16 to 23. */
function writePixel(rgb: Uint8ClampedArray, at: number, y: number, uv: number): void {
  const u = uv & 0xff;
  const v = (uv >> 16) & 0xff;
  const scaled = Math.imul(y, 19077) >> 8;
  rgb[at] = (scaled + (Math.imul(v, 26149) >> 8) - 14234) >> 6;
  rgb[at + 1] = (scaled - (Math.imul(u, 6419) >> 8) - (Math.imul(v, 13320) >> 8) + 8708) >> 6;
  rgb[at + 2] = (scaled + (Math.imul(u, 33050) >> 8) - 17685) >> 6;
}
