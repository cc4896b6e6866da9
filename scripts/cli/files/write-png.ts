/** Writes RGB8 as PNG (PNG specification, colour type 2, 8 bits, filter Up). */
import { crc32, deflateSync } from 'node:zlib';
import type { RgbImage } from '../../../worker/imaging/image.ts';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** Encodes an image; returns the file's bytes. */
export function encodePng(image: RgbImage): Uint8Array {
  const { width, height, data } = image;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rowBytes = width * 3;
  const filtered = new Uint8Array(height * (rowBytes + 1));
  for (let y = 0; y < height; y++) {
    const to = y * (rowBytes + 1);
    filtered[to] = 2;
    for (let i = 0; i < rowBytes; i++) {
      const above = y === 0 ? 0 : data[(y - 1) * rowBytes + i]!;
      filtered[to + 1 + i] = data[y * rowBytes + i]! - above;
    }
  }
  return Buffer.concat([
    Buffer.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(filtered)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}
