/**
 * A photo to measure with, made the same way every time: the mandrill of `baboon-image-uri`, blown up and blended with
 * smaller copies of itself for detail, with sensor-like noise. Encoded by sharp.
 */
import baboonImageUri from 'baboon-image-uri';
import sharp from 'sharp';

/** Standard deviation of the noise, in steps of 255; with it a 12 MP JPEG of quality 90 takes the size a camera's does. */
const NOISE_SIGMA = 5;

/** Raw RGB8 pixels, `[height, width, 3]`. */
export interface RawPhoto {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

/** Makes a photo of this size in px. Tiles repeat every eighth of the width. */
export async function makePhoto(width: number, height: number): Promise<RawPhoto> {
  const mandrill = Buffer.from(baboonImageUri.slice(baboonImageUri.indexOf(',') + 1), 'base64');
  const resized = (w: number, h: number): Promise<Buffer> =>
    sharp(mandrill).removeAlpha().resize(w, h, { fit: 'fill', kernel: 'cubic' }).raw().toBuffer();
  const edge = width >> 3;
  const base = await resized(width, height);
  const tile = await resized(edge, edge);
  const data = Buffer.alloc(width * height * 3);
  let state = 1;
  // xorshift32, in -0.5 .. 0.5
  const random = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32 - 0.5;
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Three uniform numbers make a bell of variance 1/4.
      const noise = (random() + random() + random()) * 2 * NOISE_SIGMA;
      const t = ((y % edge) * edge + (x % edge)) * 3;
      for (let channel = 0; channel < 3; channel++, i++) {
        const value = (base[i]! + tile[t + channel]!) / 2 + noise;
        data[i] = Math.min(255, Math.max(0, Math.round(value)));
      }
    }
  }
  return { data, width, height };
}

/** Encodes a photo. JPEGs are 4:2:0 of quality 90, WebP is lossy of quality 80, PNG is sharp's default. */
export async function encodePhoto(
  photo: RawPhoto,
  format: 'jpeg' | 'jpeg-progressive' | 'png' | 'webp',
): Promise<Buffer> {
  const image = sharp(photo.data, { raw: { width: photo.width, height: photo.height, channels: 3 } });
  switch (format) {
    case 'jpeg':
    case 'jpeg-progressive':
      return image
        .jpeg({ quality: 90, chromaSubsampling: '4:2:0', progressive: format === 'jpeg-progressive' })
        .toBuffer();
    case 'png':
      return image.png().toBuffer();
    case 'webp':
      return image.webp({ quality: 80 }).toBuffer();
  }
}
