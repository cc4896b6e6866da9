/** Products of many rows with one vector: what applying a head costs. Pure. */

/**
 * Products of rows with a vector, summed in float64.
 * @param rows float32 `[count, length of the vector]`.
 * @param out `[count]`, or longer.
 */
export function rowProducts(rows: Float32Array, count: number, vector: Float32Array, out: Float32Array): void {
  const { length } = vector;
  // Widened once rather than once a row.
  const x = Float64Array.from(vector);
  const tiled = count - (count % 4);
  for (let k = 0; k < tiled; k += 4) {
    const r0 = k * length;
    const r1 = r0 + length;
    const r2 = r1 + length;
    const r3 = r2 + length;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let d = 0; d < length; d++) {
      const value = x[d]!;
      s0 += rows[r0 + d]! * value;
      s1 += rows[r1 + d]! * value;
      s2 += rows[r2 + d]! * value;
      s3 += rows[r3 + d]! * value;
    }
    out[k] = s0;
    out[k + 1] = s1;
    out[k + 2] = s2;
    out[k + 3] = s3;
  }
  for (let k = tiled; k < count; k++) {
    let sum = 0;
    for (let d = 0; d < length; d++) sum += rows[k * length + d]! * x[d]!;
    out[k] = sum;
  }
}
