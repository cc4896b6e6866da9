/**
 * Decodes a VP8 key frame to RGB8 rows (RFC 6386), bit for bit as libwebp does by default: no dithering, fancy
 * upsampling. Memory depends on the width alone: tokens, prediction and filters work on one row of macroblocks, the
 * filters' delay is carried over to the next (libwebp src/dec/frame_dec.c).
 */
import { ImageError } from '../../errors.ts';
import type { RowSink } from '../image.ts';
import { truncatedWebp } from './errors.ts';
import { type EdgeLimits, edgeLimits } from './vp8-filter.ts';
import { FilterPlanes, filterPlanesBytes, filterRow } from './vp8-filter-row.ts';
import { readVp8Header, SEGMENTS, type Vp8Header } from './vp8-header.ts';
import { MacroblockModes, SPLIT_PRED } from './vp8-modes.ts';
import { RgbRows, rgbRowsBytes } from './vp8-output.ts';
import { ReconPlane, reconPlaneBytes } from './vp8-plane.ts';
import { addBlocks } from './vp8-reconstruct.ts';
import { CONTEXTS_PER_MB, MB_COEFFS, readTokens } from './vp8-tokens.ts';

/** Header tables: token probabilities by band and by position, steps, levels, limits. */
const FIXED_BYTES = 8192;

/** Per-macroblock state: modes, contexts, filter strengths. */
const STATE_BYTES_PER_MB = 4 + 16 + 4 + CONTEXTS_PER_MB + 2;

/** Peak bytes that `decodeVp8` allocates for a frame of this size. */
export function estimateVp8Bytes(width: number): number {
  const mbWidth = (width + 15) >> 4;
  const planes = reconPlaneBytes(mbWidth, 16) + 2 * reconPlaneBytes(mbWidth, 8) + filterPlanesBytes(mbWidth);
  return FIXED_BYTES + planes + mbWidth * STATE_BYTES_PER_MB + rgbRowsBytes(width);
}

/**
 * Decodes the frame into `sink`, rows only: the caller has called `sink.start`.
 *
 * @param data the bitstream
 * @param allowTruncated true: stop quietly where the data ends
 * @returns rows that were pushed
 * @throws {ImageError} `corrupt_image`; `truncated_image` unless allowed
 */
export function decodeVp8(data: Uint8Array, sink: RowSink, allowTruncated: boolean): number {
  let header: Vp8Header;
  try {
    header = readVp8Header(data);
  } catch (error) {
    if (allowTruncated && error instanceof ImageError && error.code === 'truncated_image') return 0;
    throw error;
  }
  return new Vp8FrameDecoder(header, sink).decode(allowTruncated);
}

class Vp8FrameDecoder {
  private readonly header: Vp8Header;
  private readonly mbWidth: number;
  private readonly mbHeight: number;
  private readonly modes: MacroblockModes;
  private readonly luma: ReconPlane;
  private readonly u: ReconPlane;
  private readonly v: ReconPlane;
  private readonly filtered: FilterPlanes;
  private readonly output: RgbRows;
  private readonly coeffs = new Int16Array(MB_COEFFS);
  private readonly kinds = new Uint8Array(24);
  private readonly above: Uint8Array;
  private readonly left = new Uint8Array(CONTEXTS_PER_MB);
  /** Edge limits, `[SEGMENTS][whole | split macroblock]`. */
  private readonly limits: EdgeLimits[] = [];
  /** Index into `limits` for each macroblock of the row. */
  private readonly limitIndex: Uint8Array;
  /** 1 where a macroblock's inner edges are filtered. */
  private readonly filterInner: Uint8Array;

  constructor(header: Vp8Header, sink: RowSink) {
    this.header = header;
    this.mbWidth = (header.width + 15) >> 4;
    this.mbHeight = (header.height + 15) >> 4;
    this.modes = new MacroblockModes(this.mbWidth);
    this.luma = new ReconPlane(this.mbWidth, 16);
    this.u = new ReconPlane(this.mbWidth, 8);
    this.v = new ReconPlane(this.mbWidth, 8);
    this.filtered = new FilterPlanes(this.mbWidth);
    this.output = new RgbRows(header.width, header.height, this.filtered, sink);
    this.above = new Uint8Array(this.mbWidth * CONTEXTS_PER_MB);
    this.limitIndex = new Uint8Array(this.mbWidth);
    this.filterInner = new Uint8Array(this.mbWidth);
    for (let i = 0; i < SEGMENTS * 2; i++) this.limits.push(edgeLimits(header.filterLevels[i]!, header.sharpness));
  }

  decode(allowTruncated: boolean): number {
    const { header, mbHeight } = this;
    for (let mbY = 0; mbY < mbHeight; mbY++) {
      this.modes.readRow(header);
      if (header.modes.exhausted || !this.decodeRow(mbY)) {
        if (allowTruncated) return this.output.rowsOut;
        throw truncatedWebp(`data ends in macroblock row ${mbY} of ${mbHeight}`, {
          decodedRows: this.output.rowsOut,
          height: header.height,
        });
      }
      this.finishRow(mbY);
    }
    return this.output.rowsOut;
  }

  /** Tokens, prediction and residuals of a row of macroblocks. Returns false where the tokens end early. */
  private decodeRow(mbY: number): boolean {
    const { header, modes, coeffs, kinds, left, above } = this;
    const reader = header.partitions[mbY & (header.partitions.length - 1)]!;
    left.fill(0);
    for (let mbX = 0; mbX < this.mbWidth; mbX++) {
      const split = modes.luma[mbX] === SPLIT_PRED;
      const segment = modes.segment[mbX]!;
      const aboveAt = mbX * CONTEXTS_PER_MB;
      let coded = false;
      if (modes.skip[mbX] === 0) {
        coeffs.fill(0);
        coded = readTokens(
          reader,
          header.tokenProbs,
          header.steps,
          segment,
          !split,
          coeffs,
          kinds,
          above,
          aboveAt,
          left,
        );
      } else {
        // The Y2 context survives a skipped macroblock that has no Y2 block (RFC 6386, section 13.3).
        const last = split ? CONTEXTS_PER_MB - 1 : CONTEXTS_PER_MB;
        above.fill(0, aboveAt, aboveAt + last);
        left.fill(0, 0, last);
      }
      if (reader.exhausted) return false;
      addBlocks(this.luma, this.u, this.v, modes, mbX, mbY, coded, coeffs, kinds);
      this.limitIndex[mbX] = segment * 2 + (split ? 1 : 0);
      this.filterInner[mbX] = split || coded ? 1 : 0;
    }
    return true;
  }

  /** Filters and emits what is final. */
  private finishRow(mbY: number): void {
    const { header, filtered, luma, u, v } = this;
    filtered.take(luma, u, v);
    luma.nextRow();
    u.nextRow();
    v.nextRow();
    if (header.loopFilter !== 'none') {
      filterRow(filtered, header.loopFilter, mbY, this.limits, this.limitIndex, this.filterInner);
    }
    const delay = header.loopFilter === 'none' ? 0 : header.loopFilter === 'simple' ? 2 : 8;
    this.output.emit(mbY, mbY === this.mbHeight - 1 ? 0 : delay);
    filtered.shift();
  }
}
