/**
 * What a group norm needs to know of f32 rows, in the order in which onnxruntime's MLAS adds it up (`MlasGemvFloatKernel`: one value
 * after the other, each multiplied with its share first), so that the sums have the same bits.
 */

/** Values of rows that are visited at a time, so that they stay in the first-level cache for all groups. */
const CHUNK_VALUES: i32 = 4096;

/**
 * Adds rows to the statistics of a group norm: per group the mean of the values and the mean of their squares.
 * @param rows f32 [positions, columns], of which the first `channels` of a row are channels; channel c is of group c % groups.
 * @param share 1 / (number of values of one group in the whole map).
 * @param statistics f32 [2, groups]: means, means of squares, so far.
 */
export function accumulate(
  rows: usize,
  positions: i32,
  columns: i32,
  channels: i32,
  groups: i32,
  share: f32,
  statistics: usize,
): void {
  const rowBytes = columns << 2;
  const channelBytes = channels << 2;
  const groupBytes = groups << 2;
  const chunk = max(CHUNK_VALUES / columns, 1);
  const shares = f32x4.splat(share);
  for (let left = positions; left > 0; left -= chunk) {
    const end = rows + min(chunk, left) * rowBytes;
    let group = 0;
    for (; group + 32 <= groupBytes; group += 32) {
      const at = statistics + group;
      let mean0 = v128.load(at);
      let mean1 = v128.load(at, 16);
      let square0 = v128.load(at + groupBytes);
      let square1 = v128.load(at + groupBytes, 16);
      for (let row = rows; row < end; row += rowBytes) {
        const last = row + channelBytes;
        for (let value = row + group; value < last; value += groupBytes) {
          const x0 = v128.load(value);
          const x1 = v128.load(value, 16);
          mean0 = f32x4.add(mean0, f32x4.mul(shares, x0));
          mean1 = f32x4.add(mean1, f32x4.mul(shares, x1));
          square0 = f32x4.add(square0, f32x4.mul(shares, f32x4.mul(x0, x0)));
          square1 = f32x4.add(square1, f32x4.mul(shares, f32x4.mul(x1, x1)));
        }
      }
      v128.store(at, mean0);
      v128.store(at, mean1, 16);
      v128.store(at + groupBytes, square0);
      v128.store(at + groupBytes, square1, 16);
    }
    for (; group < groupBytes; group += 16) {
      const at = statistics + group;
      let mean = v128.load(at);
      let square = v128.load(at + groupBytes);
      for (let row = rows; row < end; row += rowBytes) {
        const last = row + channelBytes;
        for (let value = row + group; value < last; value += groupBytes) {
          const x = v128.load(value);
          mean = f32x4.add(mean, f32x4.mul(shares, x));
          square = f32x4.add(square, f32x4.mul(shares, f32x4.mul(x, x)));
        }
      }
      v128.store(at, mean);
      v128.store(at + groupBytes, square);
    }
    rows = end;
  }
}

/**
 * The mean of each column over all rows, one row after the other.
 * @param rows f32 [positions, columns]; columns a multiple of 8.
 * @param share 1 / positions.
 * @param output f32 [columns].
 */
export function averageRows(rows: usize, positions: i32, columns: i32, share: f32, output: usize): void {
  const rowBytes = columns << 2;
  const shares = f32x4.splat(share);
  const end = rows + positions * rowBytes;
  for (let column = 0; column < rowBytes; column += 32) {
    let mean0 = f32x4.splat(0);
    let mean1 = f32x4.splat(0);
    for (let value = rows + column; value < end; value += rowBytes) {
      mean0 = f32x4.add(mean0, f32x4.mul(shares, v128.load(value)));
      mean1 = f32x4.add(mean1, f32x4.mul(shares, v128.load(value, 16)));
    }
    v128.store(output + column, mean0);
    v128.store(output + column, mean1, 16);
  }
}
