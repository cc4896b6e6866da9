/**
 * The loop filter over one row of macroblocks, and the buffers it works in (RFC 6386, section 15.1;
 * libwebp src/dec/frame_dec.c `DoFilter`).
 */
import { type EdgeLimits, filterMacroblockEdge, filterSimpleEdge, filterSubblockEdge } from './vp8-filter.ts';
import type { LoopFilter } from './vp8-header.ts';
import type { ReconPlane } from './vp8-plane.ts';

/**
 * Luma rows kept above the current macroblocks: eight that the filter may still change or read (libwebp
 * `kFilterExtraRows`), one that waits for the chroma row below it, one to stay even.
 */
export const LUMA_ROWS_ABOVE = 10;

/** Chroma rows kept above. */
export const CHROMA_ROWS_ABOVE = 5;

/** The rows that filters and output work on: those above, then one row of macroblocks. */
export class FilterPlanes {
  readonly luma: Uint8ClampedArray;
  readonly u: Uint8ClampedArray;
  readonly v: Uint8ClampedArray;
  readonly lumaStride: number;
  readonly chromaStride: number;
  /** Index of the first luma sample of the current row of macroblocks. */
  readonly lumaOrigin: number;
  readonly chromaOrigin: number;

  constructor(mbWidth: number) {
    this.lumaStride = mbWidth * 16;
    this.chromaStride = mbWidth * 8;
    this.lumaOrigin = LUMA_ROWS_ABOVE * this.lumaStride;
    this.chromaOrigin = CHROMA_ROWS_ABOVE * this.chromaStride;
    this.luma = new Uint8ClampedArray((LUMA_ROWS_ABOVE + 16) * this.lumaStride);
    this.u = new Uint8ClampedArray((CHROMA_ROWS_ABOVE + 8) * this.chromaStride);
    this.v = new Uint8ClampedArray((CHROMA_ROWS_ABOVE + 8) * this.chromaStride);
  }

  /** Copies a reconstructed row of macroblocks in. */
  take(luma: ReconPlane, u: ReconPlane, v: ReconPlane): void {
    copyRows(luma, this.luma, this.lumaOrigin);
    copyRows(u, this.u, this.chromaOrigin);
    copyRows(v, this.v, this.chromaOrigin);
  }

  /** Makes room for the next row of macroblocks. */
  shift(): void {
    this.luma.copyWithin(0, 16 * this.lumaStride);
    this.u.copyWithin(0, 8 * this.chromaStride);
    this.v.copyWithin(0, 8 * this.chromaStride);
  }
}

/** Bytes that `new FilterPlanes(mbWidth)` allocates. */
export function filterPlanesBytes(mbWidth: number): number {
  return (LUMA_ROWS_ABOVE + 16) * mbWidth * 16 + 2 * (CHROMA_ROWS_ABOVE + 8) * mbWidth * 8;
}

function copyRows(from: ReconPlane, to: Uint8ClampedArray, origin: number): void {
  for (let y = 0, at = from.origin, out = origin; y < from.size; y++, at += from.stride, out += from.width) {
    to.set(from.bytes.subarray(at, at + from.width), out);
  }
}

/**
 * Filters one row of macroblocks in place, and up to eight rows above it.
 *
 * @param limits edge limits to choose from
 * @param limitIndex which of them each macroblock uses
 * @param filterInner 1 where a macroblock's inner edges are filtered too
 */
export function filterRow(
  planes: FilterPlanes,
  filter: LoopFilter,
  mbY: number,
  limits: readonly EdgeLimits[],
  limitIndex: Uint8Array,
  filterInner: Uint8Array,
): void {
  for (let mbX = 0; mbX < limitIndex.length; mbX++) {
    const edge = limits[limitIndex[mbX]!]!;
    if (edge.limit === 0) continue;
    const inner = filterInner[mbX] === 1;
    if (filter === 'simple') filterSimple(planes, mbX, mbY, edge, inner);
    else filterNormal(planes, mbX, mbY, edge, inner);
  }
}

function filterSimple(planes: FilterPlanes, mbX: number, mbY: number, edge: EdgeLimits, inner: boolean): void {
  const { luma, lumaStride } = planes;
  const at = planes.lumaOrigin + mbX * 16;
  const { limit } = edge;
  if (mbX > 0) filterSimpleEdge(luma, at, 1, lumaStride, limit + 4);
  if (inner) {
    for (let x = 4; x < 16; x += 4) filterSimpleEdge(luma, at + x, 1, lumaStride, limit);
  }
  if (mbY > 0) filterSimpleEdge(luma, at, lumaStride, 1, limit + 4);
  if (inner) {
    for (let y = 4; y < 16; y += 4) filterSimpleEdge(luma, at + y * lumaStride, lumaStride, 1, limit);
  }
}

function filterNormal(planes: FilterPlanes, mbX: number, mbY: number, edge: EdgeLimits, inner: boolean): void {
  const { luma, u, v, lumaStride, chromaStride } = planes;
  const at = planes.lumaOrigin + mbX * 16;
  const uvAt = planes.chromaOrigin + mbX * 8;
  const { limit, interiorLimit, hevThreshold } = edge;
  if (mbX > 0) {
    filterMacroblockEdge(luma, at, 1, lumaStride, 16, limit + 4, interiorLimit, hevThreshold);
    filterMacroblockEdge(u, uvAt, 1, chromaStride, 8, limit + 4, interiorLimit, hevThreshold);
    filterMacroblockEdge(v, uvAt, 1, chromaStride, 8, limit + 4, interiorLimit, hevThreshold);
  }
  if (inner) {
    for (let x = 4; x < 16; x += 4) {
      filterSubblockEdge(luma, at + x, 1, lumaStride, 16, limit, interiorLimit, hevThreshold);
    }
    filterSubblockEdge(u, uvAt + 4, 1, chromaStride, 8, limit, interiorLimit, hevThreshold);
    filterSubblockEdge(v, uvAt + 4, 1, chromaStride, 8, limit, interiorLimit, hevThreshold);
  }
  if (mbY > 0) {
    filterMacroblockEdge(luma, at, lumaStride, 1, 16, limit + 4, interiorLimit, hevThreshold);
    filterMacroblockEdge(u, uvAt, chromaStride, 1, 8, limit + 4, interiorLimit, hevThreshold);
    filterMacroblockEdge(v, uvAt, chromaStride, 1, 8, limit + 4, interiorLimit, hevThreshold);
  }
  if (inner) {
    for (let y = 4; y < 16; y += 4) {
      filterSubblockEdge(luma, at + y * lumaStride, lumaStride, 1, 16, limit, interiorLimit, hevThreshold);
    }
    const uvMiddle = uvAt + 4 * chromaStride;
    filterSubblockEdge(u, uvMiddle, chromaStride, 1, 8, limit, interiorLimit, hevThreshold);
    filterSubblockEdge(v, uvMiddle, chromaStride, 1, 8, limit, interiorLimit, hevThreshold);
  }
}
