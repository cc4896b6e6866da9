/**
 * Collects the frames and metadata of a WebP file, chunk by chunk (RFC 9649, section 2; libwebp src/demux/demux.c).
 */
import {
  FLAG_ALPHA,
  FLAG_ANIMATION,
  FLAG_EXIF,
  FLAG_XMP,
  FOURCC_ALPH,
  FOURCC_ANIM,
  FOURCC_ANMF,
  FOURCC_EXIF,
  FOURCC_VP8,
  FOURCC_VP8L,
  FOURCC_VP8X,
  FOURCC_XMP,
  MAX_CHUNK_PAYLOAD_BYTES,
  MAX_IMAGE_AREA_PX,
  readBitstreamFeatures,
  readU24,
  readU32,
} from './chunks.ts';
import { corruptWebp, truncatedWebp } from './errors.ts';

/** A frame while its chunks are being collected. */
export interface FrameDraft {
  x: number;
  y: number;
  width: number;
  height: number;
  lossless: boolean;
  imageAt: number;
  imageBytes: number;
  alphaAt: number;
  alphaBytes: number;
  /** False where the image data ends early. */
  complete: boolean;
  /** True once an ALPH, VP8 or VP8L chunk belongs to it. */
  used: boolean;
}

/** Walks the chunks of a RIFF file that passed `checkHeaders`. */
export class Demuxer {
  private readonly bytes: Uint8Array;
  /** Bytes the RIFF header promises, its own 8 included. */
  readonly riffEnd: number;
  private readonly end: number;
  /** True where the file is shorter than that. */
  readonly truncated: boolean;
  private at = 12;
  /** Flags of the VP8X chunk. */
  flags = 0;
  /** True where there is one. */
  extended = false;
  /** Canvas size, px; 0 until it is known. */
  width = 0;
  height = 0;
  readonly frames: FrameDraft[] = [];
  /** Payloads of the first EXIF and XMP chunks, where the VP8X flags announce them. */
  exif: Uint8Array | undefined;
  xmp: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.riffEnd = readU32(bytes, 4) + 8;
    this.end = Math.min(bytes.length, this.riffEnd);
    this.truncated = this.end < this.riffEnd;
  }

  /** Reads all chunks. Returns false where the file ends before the RIFF chunk does. */
  parse(): boolean {
    const complete = readU32(this.bytes, 12) === FOURCC_VP8X ? this.parseExtended() : this.parseSingleImage();
    if (!complete && !this.truncated) {
      throw corruptWebp(`chunks run past the ${this.riffEnd} bytes the RIFF header declares`);
    }
    return complete;
  }

  /** `ParseVP8X`: the canvas, then all chunks. Returns false where data is missing. */
  private parseExtended(): boolean {
    const { bytes } = this;
    this.extended = true;
    const chunkBytes = readU32(bytes, 16);
    this.at = 20;
    if (chunkBytes > this.riffEnd - this.at) {
      throw corruptWebp(`VP8X chunk of ${chunkBytes} bytes does not fit the RIFF size`);
    }
    if (this.end - this.at < chunkBytes) {
      throw truncatedWebp(`file ends after ${bytes.length} bytes, inside the VP8X chunk`);
    }
    this.flags = bytes[20]!;
    this.width = 1 + readU24(bytes, 24);
    this.height = 1 + readU24(bytes, 27);
    this.at += chunkBytes;
    if (this.riffEnd - this.at < 8) throw corruptWebp('VP8X file without an image chunk');
    if (this.end - this.at < 8) return false;
    return this.parseExtendedChunks();
  }

  /** `ParseVP8XChunks`. */
  private parseExtendedChunks(): boolean {
    const { bytes } = this;
    const animated = (this.flags & FLAG_ANIMATION) !== 0;
    let sawAnim = false;
    for (;;) {
      const chunkAt = this.at;
      const fourcc = readU32(bytes, this.at);
      const chunkBytes = readU32(bytes, this.at + 4);
      this.at += 8;
      const padded = this.paddedSize(chunkBytes);
      let complete = true;
      switch (fourcc) {
        case FOURCC_VP8X:
          throw corruptWebp('a second VP8X chunk');
        case FOURCC_ALPH:
        case FOURCC_VP8:
        case FOURCC_VP8L:
          if (sawAnim || animated) throw corruptWebp('an image chunk outside the frames of an animation');
          this.at = chunkAt;
          complete = this.parseSingleImage();
          break;
        case FOURCC_ANMF:
          if (!sawAnim) throw corruptWebp('a frame before the ANIM chunk');
          complete = this.parseAnimationFrame(padded);
          break;
        case FOURCC_ANIM:
          if (padded < 6) throw corruptWebp(`ANIM chunk of ${chunkBytes} bytes; 6 needed`);
          sawAnim = true;
          complete = this.skipChunk(padded);
          break;
        default:
          complete = this.skipChunk(padded);
          if (complete) this.keepMetadata(fourcc, chunkAt + 8, chunkBytes);
      }
      if (this.at === this.riffEnd) return complete;
      if (!complete || this.end - this.at < 8) return false;
    }
  }

  /** Steps over a chunk's payload. Returns false, and stays, where the file ends inside it. */
  private skipChunk(padded: number): boolean {
    if (padded > this.end - this.at) return false;
    this.at += padded;
    return true;
  }

  private keepMetadata(fourcc: number, at: number, bytes: number): void {
    if (fourcc === FOURCC_EXIF && (this.flags & FLAG_EXIF) !== 0) {
      this.exif ??= this.bytes.subarray(at, at + bytes);
    } else if (fourcc === FOURCC_XMP && (this.flags & FLAG_XMP) !== 0) {
      this.xmp ??= this.bytes.subarray(at, at + bytes);
    }
  }

  /** `ParseSingleImage`: a still picture, with or without VP8X. */
  private parseSingleImage(): boolean {
    if (this.frames.length > 0) throw corruptWebp('a second image in a still picture');
    if (this.riffEnd - this.at < 8) throw corruptWebp('RIFF size leaves no room for an image chunk');
    if (this.end - this.at < 8) return false;
    const frame = emptyFrame();
    const complete = this.storeFrame(0, frame);
    if ((this.flags & FLAG_ALPHA) === 0) {
      frame.alphaAt = 0;
      frame.alphaBytes = 0;
    }
    if (!this.extended && frame.width > 0) {
      this.width = frame.width;
      this.height = frame.height;
    }
    this.frames.push(frame);
    return complete;
  }

  /** `ParseAnimationFrame`: an ANMF header and the image chunks that follow it (RFC 9649, section 2.7.1.2). */
  private parseAnimationFrame(padded: number): boolean {
    const { bytes } = this;
    if (this.riffEnd - this.at < 16 || padded < 16) throw corruptWebp(`ANMF chunk of ${padded} bytes; 16 needed`);
    if (this.end - this.at < 16) return false;
    const frame = emptyFrame();
    frame.x = 2 * readU24(bytes, this.at);
    frame.y = 2 * readU24(bytes, this.at + 3);
    frame.width = 1 + readU24(bytes, this.at + 6);
    frame.height = 1 + readU24(bytes, this.at + 9);
    this.at += 16;
    if (frame.width * frame.height >= MAX_IMAGE_AREA_PX) {
      throw corruptWebp(`frame is ${frame.width}x${frame.height}`, { width: frame.width, height: frame.height });
    }
    const start = this.at;
    const payload = padded - 16;
    const complete = this.storeFrame(payload, frame);
    if (this.at - start > payload) throw corruptWebp('image chunks run past their ANMF chunk');
    if ((this.flags & FLAG_ANIMATION) !== 0 && frame.used) this.addFrame(frame);
    return complete;
  }

  private addFrame(frame: FrameDraft): void {
    const last = this.frames[this.frames.length - 1];
    if (last !== undefined && !last.complete) throw corruptWebp('a frame without image data');
    this.frames.push(frame);
  }

  /** `StoreFrame`: the ALPH and VP8 or VP8L chunks from here on. Returns false where data is missing. */
  private storeFrame(minBytes: number, frame: FrameDraft): boolean {
    const { bytes } = this;
    let sawAlpha = false;
    let sawImage = false;
    if (this.end - this.at < 8 || this.end - this.at < minBytes) return false;
    for (;;) {
      const chunkAt = this.at;
      const fourcc = readU32(bytes, chunkAt);
      const chunkBytes = readU32(bytes, chunkAt + 4);
      this.at += 8;
      const padded = this.paddedSize(chunkBytes);
      const available = Math.min(padded, this.end - this.at);
      let complete = padded === available;
      if (fourcc === FOURCC_ALPH && !sawAlpha) {
        sawAlpha = true;
        frame.alphaAt = this.at;
        frame.alphaBytes = Math.min(chunkBytes, available);
        frame.used = true;
        this.at += available;
      } else if ((fourcc === FOURCC_VP8 || fourcc === FOURCC_VP8L) && !sawImage) {
        if (fourcc === FOURCC_VP8L && sawAlpha) throw corruptWebp('an ALPH chunk beside VP8L data');
        const features = readBitstreamFeatures(bytes, chunkAt, this.at + available);
        if (features === undefined) {
          if (complete) throw corruptWebp(`image chunk of ${chunkBytes} bytes is too short for its header`);
          return false;
        }
        sawImage = true;
        frame.used = true;
        frame.width = features.width;
        frame.height = features.height;
        frame.lossless = fourcc === FOURCC_VP8L;
        frame.imageAt = this.at;
        frame.imageBytes = available;
        frame.complete = complete;
        this.at += available;
      } else {
        if (fourcc === FOURCC_VP8L && sawAlpha) throw corruptWebp('an ALPH chunk beside VP8L data');
        this.at = chunkAt;
        return complete && this.end - this.at >= 8;
      }
      if (this.at === this.riffEnd) return complete;
      if (this.end - this.at < 8) complete = false;
      if (!complete) return false;
    }
  }

  private paddedSize(chunkBytes: number): number {
    if (chunkBytes > MAX_CHUNK_PAYLOAD_BYTES) throw corruptWebp(`chunk of ${chunkBytes} bytes`);
    const padded = chunkBytes + (chunkBytes & 1);
    if (padded > this.riffEnd - this.at) {
      throw corruptWebp(`chunk of ${chunkBytes} bytes at ${this.at - 8} does not fit the RIFF size`);
    }
    return padded;
  }
}

function emptyFrame(): FrameDraft {
  return {
    x: 0,
    y: 0,
    width: 0,
    height: 0,
    lossless: false,
    imageAt: 0,
    imageBytes: 0,
    alphaAt: 0,
    alphaBytes: 0,
    complete: false,
    used: false,
  };
}
