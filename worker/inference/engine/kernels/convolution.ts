/**
 * Convolutions as products of rows: windows of a u8 map times a kernel, to f32 rows. Blocks of rows are packed once; a panel of 8
 * columns is widened and multiplied with all of the block.
 */
import { blockRows, MAX_PANEL_DEPTH, multiplyTile, packRows, widenPanel } from './product';
import { accumulate } from './statistics';

/** Where the windows of a convolution begin, and what they take of a map. Written by `convolve` for `multiplyBlock`. */
let source: usize = 0;
let pitch: i32 = 0;
let pixel: i32 = 0;
let zeroPoint: i32 = 0;
let stride: i32 = 0;
let lines: i32 = 0;
let lineStep: i32 = 0;
let runs: i32 = 0;
let runStep: i32 = 0;
let run: i32 = 0;
let width: i32 = 0;

/** Describes the windows; see `convolve`. */
export function setWindows(
  source_: usize,
  pitch_: i32,
  pixel_: i32,
  zeroPoint_: i32,
  stride_: i32,
  lines_: i32,
  lineStep_: i32,
  runs_: i32,
  runStep_: i32,
  run_: i32,
  width_: i32,
): void {
  source = source_;
  pitch = pitch_;
  pixel = pixel_;
  zeroPoint = zeroPoint_;
  stride = stride_;
  lines = lines_;
  lineStep = lineStep_;
  runs = runs_;
  runStep = runStep_;
  run = run_;
  width = width_;
}

/** Address of the window of an output position. */
// @ts-ignore: decorator
@inline
function windowAt(position: i32): usize {
  const y = position / width;
  const x = position - y * width;
  return source + y * stride * pitch + x * stride * pixel;
}

/** Packs the windows of `count` positions, four at a time; the last panel repeats the last position. */
export function packWindows(target: usize, first: i32, count: i32): void {
  const last = first + count - 1;
  for (let position = first; position <= last; position += 4) {
    let w0 = windowAt(position);
    let w1 = windowAt(min(position + 1, last));
    let w2 = windowAt(min(position + 2, last));
    let w3 = windowAt(min(position + 3, last));
    for (let line = 0; line < lines; line++) {
      for (let i = 0, offset = 0; i < runs; i++, offset += runStep) {
        target = packRows(target, w0 + offset, w1 + offset, w2 + offset, w3 + offset, run, zeroPoint);
      }
      w0 += lineStep;
      w1 += lineStep;
      w2 += lineStep;
      w3 += lineStep;
    }
  }
}

/**
 * Convolves `count` positions from `first` on (a whole block at most: `blockRows(depth)`).
 * @param output where position `first` begins.
 * @param residual what is added to it, likewise; 0 for none.
 */
export function multiplyBlock(
  first: i32,
  count: i32,
  weights: usize,
  depth: i32,
  columns: i32,
  scales: usize,
  bias: usize,
  residual: usize,
  output: usize,
  scratch: usize,
): void {
  const rowBytes = columns << 2;
  const panelBytes = depth << 3;
  const panelDepth = min(depth, MAX_PANEL_DEPTH);
  const sums = scratch + (panelDepth << 4);
  const packed = sums + (((count + 3) & ~3) << 5);
  packWindows(packed, first, count);
  for (let column = 0; column < columns; column += 8, weights += panelBytes) {
    const offset = column << 2;
    for (let from = 0; from < depth; from += panelDepth) {
      const taken = min(panelDepth, depth - from);
      const isLast = from + taken === depth;
      widenPanel(scratch, weights + (from << 3), taken);
      for (let row = 0, rows = packed + (from << 3); row < count; row += 4, rows += panelBytes) {
        const at = row * rowBytes + offset;
        const partial = sums + (row << 5);
        multiplyTile(
          rows,
          scratch,
          scratch + (taken << 4),
          isLast ? output + at : partial,
          rowBytes,
          min(count - row, 4),
          isLast ? scales + offset : 0,
          bias ? bias + offset : 0,
          residual ? residual + at : 0,
          from ? partial : 0,
        );
      }
    }
  }
}

/**
 * A convolution: u8 map to f32 rows. Window of output (y, x): begins at `source + y * stride * pitch + x * stride * pixel`; of it are
 * taken `lines` times `runs` runs of `run` bytes, `lineStep` and `runStep` bytes apart. What is outside the map is part of it: its
 * border holds the zero point.
 * @param pitch bytes from line to line of the map, `pixel` from pixel to pixel.
 * @param run a multiple of 8; the depth is lines * runs * run.
 * @param width of the output; `positions` is width * height.
 * @param weights i8 (zero point taken off) in panels of 8 columns, [columns / 8][depth / 2][8][2].
 * @param columns output channels, a multiple of 8.
 * @param scales f32 [columns]; `bias` f32 [columns] or 0; `residual` f32 [positions, columns] or 0.
 * @param output f32 [positions, columns].
 * @param statistics of the output for a group norm, f32 [2, groups] (see `accumulate`); 0 for none.
 * @param channels of the columns that are channels; `groups` divides it, and is a multiple of 4.
 * @param share 1 / (positions * channels / groups).
 * @param scratch min(depth, MAX_PANEL_DEPTH) * 16 + rows * (depth * 2 + 32) bytes, where rows is the smaller of blockRows(depth) and
 * positions, rounded up to a multiple of 4.
 */
export function convolve(
  source: usize,
  pitch: i32,
  pixel: i32,
  zeroPoint: i32,
  stride: i32,
  lines: i32,
  lineStep: i32,
  runs: i32,
  runStep: i32,
  run: i32,
  width: i32,
  positions: i32,
  weights: usize,
  columns: i32,
  scales: usize,
  bias: usize,
  residual: usize,
  output: usize,
  statistics: usize,
  channels: i32,
  groups: i32,
  share: f32,
  scratch: usize,
): void {
  setWindows(source, pitch, pixel, zeroPoint, stride, lines, lineStep, runs, runStep, run, width);
  const depth = lines * runs * run;
  const block = blockRows(depth);
  const rowBytes = columns << 2;
  if (statistics) memory.fill(statistics, 0, groups << 3);
  for (let first = 0; first < positions; first += block) {
    const count = min(block, positions - first);
    const at = first * rowBytes;
    multiplyBlock(
      first,
      count,
      weights,
      depth,
      columns,
      scales,
      bias,
      residual ? residual + at : 0,
      output + at,
      scratch,
    );
    if (statistics) accumulate(output + at, count, columns, channels, groups, share, statistics);
  }
}
