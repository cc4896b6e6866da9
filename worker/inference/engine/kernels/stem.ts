/** The stem: the image as 8 bits; convolution and max pool line by line, so that the convolution's map never exists as a whole. */
import { multiplyBlock, setWindows } from './convolution';
import { blockRows } from './product';
import { accumulate } from './statistics';

const ROUNDING: f32 = 12582912;
const ROUNDING_BITS: i32 = 0x4b400000;

/**
 * Pixel values as 8 bits: (value + shift) / scale, rounded to even, + zeroPoint, from 0 to 255.
 * @param planes f32 [channels, height, width].
 * @param map where pixel (0, 0) begins, its lines `pitch` bytes apart, its pixels `channels`.
 */
export function quantizeImage(
  planes: usize,
  channels: i32,
  height: i32,
  width: i32,
  shift: f32,
  scale: f32,
  zeroPoint: i32,
  map: usize,
  pitch: i32,
): void {
  const low = <f32>-zeroPoint;
  const high = <f32>255 - <f32>zeroPoint;
  const bits = ROUNDING_BITS - zeroPoint;
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      let target = map + y * pitch + channel;
      for (const end = planes + (width << 2); planes < end; planes += 4) {
        const value = min<f32>(high, max<f32>(low, (load<f32>(planes) + shift) / scale));
        store<u8>(target, reinterpret<i32>(value + ROUNDING) - bits);
        target += channels;
      }
    }
  }
}

/** One line of the pool from three lines of the convolution: the largest value of each window; 0 is a line outside. */
function poolLine(
  line0: usize,
  line1: usize,
  line2: usize,
  width: i32,
  columns: i32,
  border: f32,
  left: i32,
  poolWidth: i32,
  output: usize,
): void {
  const columnBytes = columns << 2;
  const outside = f32x4.splat(border);
  for (let x = 0; x < poolWidth; x++) {
    const first = (x << 1) - left;
    const begin = max(first, 0) * columnBytes;
    const end = min(first + 3, width) * columnBytes;
    const isInside = line0 && line1 && line2 && first >= 0 && first + 3 <= width;
    for (let column = 0; column < columnBytes; column += 16) {
      let largest = isInside ? v128.load(line0 + begin + column) : outside;
      for (let at = begin + column; at < end; at += columnBytes) {
        if (line0) largest = f32x4.pmax(largest, v128.load(line0 + at));
        if (line1) largest = f32x4.pmax(largest, v128.load(line1 + at));
        if (line2) largest = f32x4.pmax(largest, v128.load(line2 + at));
      }
      v128.store(output + column, largest);
    }
    output += columnBytes;
  }
}

/** Where a line of the convolution is kept, or 0 where it is outside. */
// @ts-ignore: decorator
@inline
function lineAt(ring: usize, line: i32, height: i32, lineBytes: i32): usize {
  return line >= 0 && line < height ? ring + (line % 3) * lineBytes : 0;
}

/**
 * The stem's convolution and its 3x3 max pool with stride 2: u8 image to f32 rows.
 * @param source, pitch, pixel, zeroPoint, stride, lines, lineStep, run as `convolve`'s: each line of a window is one run.
 * @param height, width of the convolution's output.
 * @param top, left lines and columns around the convolution's output, whose values are `border`; the pool's windows begin there.
 * @param poolHeight, poolWidth of the output; what its windows take beyond bottom and right is `border` too.
 * @param output f32 [poolHeight * poolWidth, columns].
 * @param statistics f32 [2, groups]; 0 for none. channels, groups, share as `convolve`'s.
 * @param scratch 3 * width * columns * 4 bytes, and what `convolve` takes for one line.
 */
export function stem(
  source: usize,
  pitch: i32,
  pixel: i32,
  zeroPoint: i32,
  stride: i32,
  lines: i32,
  lineStep: i32,
  run: i32,
  height: i32,
  width: i32,
  weights: usize,
  columns: i32,
  scales: usize,
  top: i32,
  left: i32,
  border: f32,
  poolHeight: i32,
  poolWidth: i32,
  output: usize,
  statistics: usize,
  channels: i32,
  groups: i32,
  share: f32,
  scratch: usize,
): void {
  setWindows(source, pitch, pixel, zeroPoint, stride, lines, lineStep, 1, 0, run, width);
  const depth = lines * run;
  const block = blockRows(depth);
  const rowBytes = columns << 2;
  const lineBytes = width * rowBytes;
  const ring = scratch;
  const packed = scratch + 3 * lineBytes;
  if (statistics) memory.fill(statistics, 0, groups << 3);
  let next = 0;
  for (let y = 0; y < poolHeight; y++) {
    const first = (y << 1) - top;
    for (const end = min(first + 3, height); next < end; next++) {
      const line = ring + (next % 3) * lineBytes;
      for (let x = 0; x < width; x += block) {
        const count = min(block, width - x);
        multiplyBlock(next * width + x, count, weights, depth, columns, scales, 0, 0, line + x * rowBytes, packed);
      }
    }
    poolLine(
      lineAt(ring, first, height, lineBytes),
      lineAt(ring, first + 1, height, lineBytes),
      lineAt(ring, first + 2, height, lineBytes),
      width,
      columns,
      border,
      left,
      poolWidth,
      output,
    );
    if (statistics) accumulate(output, poolWidth, columns, channels, groups, share, statistics);
    output += poolWidth * rowBytes;
  }
}
