/**
 * Loop filters (RFC 6386, section 15; libwebp src/dsp/dec.c and src/dec/frame_dec.c `DoFilter`).
 *
 * An edge lies before sample `at`; `across` is the step over it, `along` the step to the next sample of the edge.
 * The buffer's element type clamps to 0..255.
 */

/** What one macroblock's edges are filtered with. */
export interface EdgeLimits {
  /** Edge limit of inner edges; macroblock edges add 4. 0: no filtering. */
  readonly limit: number;
  readonly interiorLimit: number;
  /** High edge variance threshold. */
  readonly hevThreshold: number;
}

/**
 * Limits of a filter level (RFC 6386, section 15.2 and libwebp `PrecomputeFilterStrengths`).
 *
 * @param level 0 to 63
 * @param sharpness 0 to 7
 */
export function edgeLimits(level: number, sharpness: number): EdgeLimits {
  if (level === 0) return { limit: 0, interiorLimit: 0, hevThreshold: 0 };
  let interiorLimit = level;
  if (sharpness > 0) interiorLimit = Math.min(level >> (sharpness > 4 ? 2 : 1), 9 - sharpness);
  if (interiorLimit < 1) interiorLimit = 1;
  return { limit: 2 * level + interiorLimit, interiorLimit, hevThreshold: level >= 40 ? 2 : level >= 15 ? 1 : 0 };
}

/** Simple filter over one edge of 16 luma samples (section 15.2). */
export function filterSimpleEdge(
  bytes: Uint8ClampedArray,
  at: number,
  across: number,
  along: number,
  limit: number,
): void {
  const threshold = 2 * limit + 1;
  for (let n = 0, i = at; n < 16; n++, i += along) {
    const p1 = bytes[i - 2 * across]!;
    const p0 = bytes[i - across]!;
    const q0 = bytes[i]!;
    const q1 = bytes[i + across]!;
    if (4 * Math.abs(p0 - q0) + Math.abs(p1 - q1) > threshold) continue;
    const a = 3 * (q0 - p0) + clampSigned(p1 - q1);
    bytes[i] = q0 - clampStep((a + 4) >> 3);
    bytes[i - across] = p0 + clampStep((a + 3) >> 3);
  }
}

/** Normal filter over an edge between macroblocks, `size` samples long (section 15.3): up to three samples a side. */
export function filterMacroblockEdge(
  bytes: Uint8ClampedArray,
  at: number,
  across: number,
  along: number,
  size: number,
  limit: number,
  interiorLimit: number,
  hevThreshold: number,
): void {
  const threshold = 2 * limit + 1;
  const across2 = 2 * across;
  const across3 = 3 * across;
  for (let n = 0, i = at; n < size; n++, i += along) {
    const p1 = bytes[i - across2]!;
    const p0 = bytes[i - across]!;
    const q0 = bytes[i]!;
    const q1 = bytes[i + across]!;
    if (4 * Math.abs(p0 - q0) + Math.abs(p1 - q1) > threshold) continue;
    const p2 = bytes[i - across3]!;
    const q2 = bytes[i + across2]!;
    const pDiff = Math.abs(p1 - p0);
    const qDiff = Math.abs(q1 - q0);
    if (
      pDiff > interiorLimit ||
      qDiff > interiorLimit ||
      Math.abs(p2 - p1) > interiorLimit ||
      Math.abs(q2 - q1) > interiorLimit ||
      Math.abs(bytes[i - 4 * across]! - p2) > interiorLimit ||
      Math.abs(bytes[i + across3]! - q2) > interiorLimit
    ) {
      continue;
    }
    if (pDiff > hevThreshold || qDiff > hevThreshold) {
      const a = 3 * (q0 - p0) + clampSigned(p1 - q1);
      bytes[i] = q0 - clampStep((a + 4) >> 3);
      bytes[i - across] = p0 + clampStep((a + 3) >> 3);
    } else {
      const a = clampSigned(3 * (q0 - p0) + clampSigned(p1 - q1));
      const a1 = (27 * a + 63) >> 7;
      const a2 = (18 * a + 63) >> 7;
      const a3 = (9 * a + 63) >> 7;
      bytes[i - across3] = p2 + a3;
      bytes[i - across2] = p1 + a2;
      bytes[i - across] = p0 + a1;
      bytes[i] = q0 - a1;
      bytes[i + across] = q1 - a2;
      bytes[i + across2] = q2 - a3;
    }
  }
}

/** Normal filter over an edge between subblocks, `size` samples long (section 15.3): up to two samples a side. */
export function filterSubblockEdge(
  bytes: Uint8ClampedArray,
  at: number,
  across: number,
  along: number,
  size: number,
  limit: number,
  interiorLimit: number,
  hevThreshold: number,
): void {
  const threshold = 2 * limit + 1;
  const across2 = 2 * across;
  for (let n = 0, i = at; n < size; n++, i += along) {
    const p1 = bytes[i - across2]!;
    const p0 = bytes[i - across]!;
    const q0 = bytes[i]!;
    const q1 = bytes[i + across]!;
    if (4 * Math.abs(p0 - q0) + Math.abs(p1 - q1) > threshold) continue;
    const p2 = bytes[i - 3 * across]!;
    const q2 = bytes[i + across2]!;
    const pDiff = Math.abs(p1 - p0);
    const qDiff = Math.abs(q1 - q0);
    if (
      pDiff > interiorLimit ||
      qDiff > interiorLimit ||
      Math.abs(p2 - p1) > interiorLimit ||
      Math.abs(q2 - q1) > interiorLimit ||
      Math.abs(bytes[i - 4 * across]! - p2) > interiorLimit ||
      Math.abs(bytes[i + 3 * across]! - q2) > interiorLimit
    ) {
      continue;
    }
    if (pDiff > hevThreshold || qDiff > hevThreshold) {
      const a = 3 * (q0 - p0) + clampSigned(p1 - q1);
      bytes[i] = q0 - clampStep((a + 4) >> 3);
      bytes[i - across] = p0 + clampStep((a + 3) >> 3);
    } else {
      const a = 3 * (q0 - p0);
      const a1 = clampStep((a + 4) >> 3);
      const a3 = (a1 + 1) >> 1;
      bytes[i - across2] = p1 + a3;
      bytes[i - across] = p0 + clampStep((a + 3) >> 3);
      bytes[i] = q0 - a1;
      bytes[i + across] = q1 - a3;
    }
  }
}

/** To a signed byte. */
function clampSigned(value: number): number {
  return value < -128 ? -128 : Math.min(value, 127);
}

/** A signed byte shifted right by three. */
function clampStep(value: number): number {
  return value < -16 ? -16 : Math.min(value, 15);
}
