/** Small images of their own content into the local uploads bucket, for jobs that read them by key. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { getPlatformProxy } from 'wrangler';

/** Where the images lie; `uploads/` is what a deployment reads by default. */
const PREFIX = 'uploads/soak/';

/** Side of the images in px: above the default model's 64, so that they are resized. */
const WIDTH_PX = 96;
const HEIGHT_PX = 80;

/** What is needed of R2. */
export interface Bucket {
  put(key: string, value: Uint8Array): Promise<unknown>;
}

/** The keys that were put. */
export interface SeededImages {
  readonly images: readonly string[];
  /** A JPEG cut off in its middle. */
  readonly broken: string;
}

/** Puts `count` images, JPEG and PNG by turns, and a broken one; no worker may be running on the state. */
export async function seedImages(statePath: string, count: number): Promise<SeededImages> {
  return withUploads(statePath, async (bucket) => {
    const images: string[] = [];
    for (let number = 0; number < count; number++) {
      const isJpeg = number % 2 === 0;
      const key = `${PREFIX}${number}.${isJpeg ? 'jpg' : 'png'}`;
      await bucket.put(key, await encode(number, isJpeg));
      images.push(key);
    }
    const broken = `${PREFIX}broken.jpg`;
    const whole = await encode(count, true);
    await bucket.put(broken, whole.subarray(0, whole.length >> 1));
    return { images, broken };
  });
}

/** Opens the local uploads bucket; no worker may be running on the state. */
export async function withUploads<T>(statePath: string, use: (bucket: Bucket) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'bit-edge-soak-images-'));
  const configPath = join(directory, 'wrangler.json');
  const r2 = [{ binding: 'UPLOADS', bucket_name: 'bit-edge-uploads' }];
  await writeFile(configPath, JSON.stringify({ name: 'seed', compatibility_date: '2026-11-01', r2_buckets: r2 }));
  const proxy = await getPlatformProxy<{ UPLOADS: Bucket }>({
    configPath,
    persist: { path: join(statePath, 'v3') },
    envFiles: [],
  });
  try {
    return await use(proxy.env.UPLOADS);
  } finally {
    await proxy.dispose();
    await rm(directory, { recursive: true, force: true });
  }
}

function encode(number: number, isJpeg: boolean): Promise<Buffer> {
  const data = new Uint8Array(WIDTH_PX * HEIGHT_PX * 3);
  for (let y = 0, at = 0; y < HEIGHT_PX; y++) {
    for (let x = 0; x < WIDTH_PX; x++) {
      data[at++] = x * (1 + (number % 7)) + number * 37;
      data[at++] = y * (1 + (number % 5)) + number * 91;
      data[at++] = ((x ^ y) * (1 + (number % 3))) & 255;
    }
  }
  const image = sharp(data, { raw: { width: WIDTH_PX, height: HEIGHT_PX, channels: 3 } });
  return (isJpeg ? image.jpeg({ quality: 85 }) : image.png()).toBuffer();
}
