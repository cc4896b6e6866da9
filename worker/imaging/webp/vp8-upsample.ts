/**
 * Chroma upsampling and colour conversion (libwebp src/dsp/upsampling.c `UPSAMPLE_FUNC`, src/dsp/yuv.h): each pixel
 * takes 9/16, 3/16, 3/16 and 1/16 of its four nearest chroma samples, then 14-bit fixed-point BT.601.
 */

/**
 * Converts the pair of luma rows that lies between two rows of chroma. U and V travel together in one number, 16 bits
 * each; what shifts out of V lands above U, where `writePixel` masks it.
 *
 * @param topY index of the upper row in `luma`
 * @param bottomY index of the lower row
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
  let aboveLeft = u[aboveUv]! | (v[aboveUv]! << 16);
  let belowLeft = u[belowUv]! | (v[belowUv]! << 16);
  writePixel(rgb, topRgb, luma[topY]!, (3 * aboveLeft + belowLeft + 0x00020002) >> 2);
  writePixel(rgb, bottomRgb, luma[bottomY]!, (3 * belowLeft + aboveLeft + 0x00020002) >> 2);
  let topOut = topRgb + 3;
  let bottomOut = bottomRgb + 3;
  let topAt = topY + 1;
  let bottomAt = bottomY + 1;
  const pairs = (width - 1) >> 1;
  for (let x = 1; x <= pairs; x++) {
    const aboveRight = u[aboveUv + x]! | (v[aboveUv + x]! << 16);
    const belowRight = u[belowUv + x]! | (v[belowUv + x]! << 16);
    const rising = aboveRight + belowLeft;
    const falling = aboveLeft + belowRight;
    const sum = rising + falling + 0x00080008;
    const risingMean = (sum + 2 * rising) >> 3;
    const fallingMean = (sum + 2 * falling) >> 3;
    writePixel(rgb, topOut, luma[topAt]!, (risingMean + aboveLeft) >> 1);
    writePixel(rgb, topOut + 3, luma[topAt + 1]!, (fallingMean + aboveRight) >> 1);
    writePixel(rgb, bottomOut, luma[bottomAt]!, (fallingMean + belowLeft) >> 1);
    writePixel(rgb, bottomOut + 3, luma[bottomAt + 1]!, (risingMean + belowRight) >> 1);
    topOut += 6;
    bottomOut += 6;
    topAt += 2;
    bottomAt += 2;
    aboveLeft = aboveRight;
    belowLeft = belowRight;
  }
  if ((width & 1) === 0) {
    writePixel(rgb, topOut, luma[topAt]!, (3 * aboveLeft + belowLeft + 0x00020002) >> 2);
    writePixel(rgb, bottomOut, luma[bottomAt]!, (3 * belowLeft + aboveLeft + 0x00020002) >> 2);
  }
}

/**
 * Converts the first or the last row of luma, which lies beside one row of chroma: that counts as both.
 *
 * @param y index of the row in `luma`
 * @param uv index of the chroma row
 * @param out index of the row's output
 */
export function upsampleRow(
  luma: Uint8ClampedArray,
  y: number,
  u: Uint8ClampedArray,
  v: Uint8ClampedArray,
  uv: number,
  rgb: Uint8ClampedArray,
  out: number,
  width: number,
): void {
  let left = u[uv]! | (v[uv]! << 16);
  writePixel(rgb, out, luma[y]!, left);
  let o = out + 3;
  let yAt = y + 1;
  const pairs = (width - 1) >> 1;
  for (let x = 1; x <= pairs; x++) {
    const right = u[uv + x]! | (v[uv + x]! << 16);
    const mean = (4 * (left + right) + 0x00080008) >> 3;
    writePixel(rgb, o, luma[yAt]!, (mean + left) >> 1);
    writePixel(rgb, o + 3, luma[yAt + 1]!, (mean + right) >> 1);
    o += 6;
    yAt += 2;
    left = right;
  }
  if ((width & 1) === 0) writePixel(rgb, o, luma[yAt]!, left);
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
