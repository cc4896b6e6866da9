/**
 * Places a frame on its canvas: rows and columns outside it are zero, as in libwebp's animation decoder
 * (src/demux/anim_decode.c), which never blends a first frame.
 */
import type { RowSink } from '../image.ts';
import type { WebpContainer, WebpFrame } from './container.ts';

/** Rows that are sent at once where only zeros are to be sent, or a frame is moved sideways. */
const BATCH_ROWS = 16;

/** Most bytes that a `CanvasSink` allocates: none where every row comes from the frame as it is. */
export function canvasBytes(container: WebpContainer, allowTruncated: boolean): number {
  const frame = container.firstFrame;
  const covered = frame !== undefined && frame.width === container.width && frame.height === container.height;
  return covered && !allowTruncated ? 0 : BATCH_ROWS * container.width * 3;
}

/** Passes a frame's rows on, padded to the canvas. Missing rows are sent as zeros by `finish`. */
export class CanvasSink implements RowSink {
  private readonly width: number;
  private readonly height: number;
  private readonly frame: WebpFrame | undefined;
  private readonly sink: RowSink;
  private buffer: Uint8Array | undefined;
  /** Canvas rows sent so far. */
  private sent = 0;

  constructor(container: WebpContainer, frame: WebpFrame | undefined, sink: RowSink) {
    this.width = container.width;
    this.height = container.height;
    this.frame = frame;
    this.sink = sink;
  }

  /** Announces the canvas, and sends what lies above the frame. */
  start(): void {
    this.sink.start(this.width, this.height);
    if (this.frame !== undefined) this.sendZeros(this.frame.y);
  }

  rows(data: Uint8Array, offset: number, _y: number, count: number): void {
    const { frame } = this;
    if (frame === undefined || frame.width === this.width) {
      this.sink.rows(data, offset, this.sent, count);
      this.sent += count;
      return;
    }
    const buffer = this.zeros();
    const rowBytes = this.width * 3;
    const frameBytes = frame.width * 3;
    for (let done = 0; done < count; ) {
      const rows = Math.min(BATCH_ROWS, count - done);
      for (let i = 0; i < rows; i++) {
        const from = offset + (done + i) * frameBytes;
        buffer.set(data.subarray(from, from + frameBytes), i * rowBytes + frame.x * 3);
      }
      this.sink.rows(buffer, 0, this.sent, rows);
      this.sent += rows;
      done += rows;
    }
  }

  /** Sends what is left of the canvas. */
  finish(): void {
    this.sendZeros(this.height);
  }

  private sendZeros(until: number): void {
    if (this.sent >= until) return;
    const buffer = this.zeros().fill(0);
    while (this.sent < until) {
      const rows = Math.min(BATCH_ROWS, until - this.sent);
      this.sink.rows(buffer, 0, this.sent, rows);
      this.sent += rows;
    }
  }

  private zeros(): Uint8Array {
    this.buffer ??= new Uint8Array(BATCH_ROWS * this.width * 3);
    return this.buffer;
  }
}
