/** Builds PNG files for tests. */
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** One chunk with its length and CRC. */
export function pngChunk(type: string, data: Uint8Array = new Uint8Array(0)): Buffer {
  const framed = Buffer.alloc(data.length + 12);
  framed.writeUInt32BE(data.length, 0);
  framed.write(type, 4, 'latin1');
  framed.set(data, 8);
  framed.writeUInt32BE(crc32(framed.subarray(4, data.length + 8)), data.length + 8);
  return framed;
}

/** What IHDR says. */
export interface PngShape {
  readonly width: number;
  readonly height: number;
  readonly bitDepth?: number;
  readonly colorType?: number;
  readonly interlace?: number;
}

/** A PNG of one IDAT; `raw` are its rows, each behind its filter type. */
export function buildPng(shape: PngShape, raw: Uint8Array): Uint8Array {
  const { width, height, bitDepth = 8, colorType = 2, interlace = 0 } = shape;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bitDepth, colorType, 0, 0, interlace], 8);
  const chunks = [pngChunk('IHDR', header), pngChunk('IDAT', deflateSync(raw)), pngChunk('IEND')];
  return new Uint8Array(Buffer.concat([Buffer.from(SIGNATURE), ...chunks]));
}
