/** Gram matrices in float64 from float32 rows, blocked so that the inner loops stay in the cache. Pure. */

/** Columns (or examples) that are packed at a time. */
const PANEL = 128;

/** Rows of one example each, float32 `[count, dimensions]`, row-major. */
export interface Rows {
  readonly data: Float32Array;
  readonly count: number;
  readonly dimensions: number;
}

/** `X Xᵀ`: float64 `[count, count]`, symmetric, both halves filled. */
export function gramOfRows({ data, count, dimensions }: Rows): Float64Array {
  const gram = new Float64Array(count * count);
  const panel = new Float64Array(count * PANEL);
  for (let start = 0; start < dimensions; start += PANEL) {
    const width = Math.min(PANEL, dimensions - start);
    for (let row = 0; row < count; row++) {
      const from = row * dimensions + start;
      for (let k = 0; k < width; k++) panel[row * PANEL + k] = data[from + k]!;
    }
    addPanelProduct(gram, panel, count, width);
  }
  mirror(gram, count);
  return gram;
}

/**
 * `Xᵀ diag(weights) X`: float64 `[dimensions, dimensions]`, symmetric, both halves filled.
 * @param weights `[count]`, none negative.
 */
export function gramOfColumns({ data, count, dimensions }: Rows, weights: Float64Array): Float64Array {
  const gram = new Float64Array(dimensions * dimensions);
  const panel = new Float64Array(dimensions * PANEL);
  for (let start = 0; start < count; start += PANEL) {
    const width = Math.min(PANEL, count - start);
    for (let k = 0; k < width; k++) {
      const from = (start + k) * dimensions;
      const scale = Math.sqrt(weights[start + k]!);
      for (let column = 0; column < dimensions; column++) panel[column * PANEL + k] = scale * data[from + column]!;
    }
    addPanelProduct(gram, panel, dimensions, width);
  }
  mirror(gram, dimensions);
  return gram;
}

/** Adds `P Pᵀ` to the lower half of `out`, in tiles of 4 x 2: P is `[size, PANEL]`, of which `width` columns count. */
function addPanelProduct(out: Float64Array, panel: Float64Array, size: number, width: number): void {
  const tiled = size - (size % 4);
  for (let i = 0; i < tiled; i += 4) {
    const a0 = i * PANEL;
    const a1 = a0 + PANEL;
    const a2 = a1 + PANEL;
    const a3 = a2 + PANEL;
    for (let j = 0; j < i + 4; j += 2) {
      const b0 = j * PANEL;
      const b1 = b0 + PANEL;
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      let s20 = 0;
      let s21 = 0;
      let s30 = 0;
      let s31 = 0;
      for (let k = 0; k < width; k++) {
        const x = panel[b0 + k]!;
        const y = panel[b1 + k]!;
        const p = panel[a0 + k]!;
        const q = panel[a1 + k]!;
        const r = panel[a2 + k]!;
        const s = panel[a3 + k]!;
        s00 += p * x;
        s01 += p * y;
        s10 += q * x;
        s11 += q * y;
        s20 += r * x;
        s21 += r * y;
        s30 += s * x;
        s31 += s * y;
      }
      let at = i * size + j;
      out[at]! += s00;
      out[at + 1]! += s01;
      at += size;
      out[at]! += s10;
      out[at + 1]! += s11;
      at += size;
      out[at]! += s20;
      out[at + 1]! += s21;
      at += size;
      out[at]! += s30;
      out[at + 1]! += s31;
    }
  }
  for (let i = tiled; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += panel[i * PANEL + k]! * panel[j * PANEL + k]!;
      out[i * size + j]! += sum;
    }
  }
}

function mirror(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) matrix[j * size + i] = matrix[i * size + j]!;
}
