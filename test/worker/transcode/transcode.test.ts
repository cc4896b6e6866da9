/** AVIF through the platform's Images binding, as miniflare has it (sharp in Node). Files: scripts/goldens/avif.mjs. */
import { env } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { readConfig } from '../../../worker/config.ts';
import headKernels from '../../../worker/heads/kernels/heads.wasm';
import { decodeImage } from '../../../worker/imaging/decode.ts';
import { DEFAULT_LIMITS } from '../../../worker/imaging/limits.ts';
import { startStreamDigest } from '../../../worker/inference/stream-digest.ts';
import { wasmModules } from '../../../worker/inference/wasm-modules.ts';
import { createServices } from '../../../worker/services.ts';
import { type Target, toDecodable } from '../../../worker/transcode/transcode.ts';
import { readFixture, seedDefaultModel } from '../../support/worker/seed.ts';

let small: Uint8Array<ArrayBuffer>;
let large: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  small = await readFixture('avif/quarters-96x64.avif');
  large = await readFixture('avif/quarters-1200x800.avif');
});

/** A target that counts what is leased. */
function target(change: Partial<Target> = {}): Target & { held: number } {
  const counting = {
    held: 0,
    limits: DEFAULT_LIMITS,
    edgePx: 64,
    async acquire(bytes: number) {
      counting.held += bytes;
      return {
        release() {
          counting.held -= bytes;
        },
      };
    },
    ...change,
  };
  return counting;
}

describe('toDecodable', () => {
  it('makes a PNG of an AVIF, with its colours in their places', async () => {
    const asked = target();
    const { bytes, original, release } = await toDecodable(small, env.TEST_IMAGES, asked);
    expect(original).toEqual({ format: 'avif', width: 96, height: 64 });
    const { width, height, data } = await decodeImage(bytes);
    expect([width, height]).toEqual([96, 64]);
    const at = (x: number, y: number): number[] => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
    const near = (color: number[]) => color.map((value) => expect.closeTo(value, -1.3));
    expect(at(20, 15)).toEqual(near([230, 20, 20]));
    expect(at(75, 15)).toEqual(near([20, 200, 20]));
    expect(at(20, 50)).toEqual(near([20, 20, 230]));
    expect(at(75, 50)).toEqual(near([240, 240, 240]));
    expect(asked.held).toBe(96 * 64 * 3);
    release();
    expect(asked.held).toBe(0);
  });

  it('makes it no larger than twice what the network takes', async () => {
    const { bytes, original } = await toDecodable(large, env.TEST_IMAGES, target());
    expect(original).toEqual({ format: 'avif', width: 1200, height: 800 });
    const { width, height } = await decodeImage(bytes);
    expect([width, height]).toEqual([192, 128]);
  });

  it('gives what is decoded here, or known to nobody, back as it came', async () => {
    for (const bytes of [
      await readFixture('photo.png'),
      new Uint8Array(20),
      await readFixture('images/jpeg-17x15.jpg'),
    ]) {
      const result = await toDecodable(bytes, env.TEST_IMAGES, target());
      expect(result).toMatchObject({ bytes, original: null });
    }
  });

  it('gives an AVIF back as it came where nothing is bound: the decoders refuse it by name', async () => {
    const { bytes } = await toDecodable(small, null, target());
    await expect(decodeImage(bytes)).rejects.toMatchObject({
      code: 'unsupported_image_format',
      details: { format: 'AVIF' },
    });
  });

  it('refuses pixels and bytes over the limits before anything is transcoded', async () => {
    const pixels = target({ limits: { ...DEFAULT_LIMITS, maxPixels: 1200 * 800 - 1 } });
    await expect(toDecodable(large, env.TEST_IMAGES, pixels)).rejects.toMatchObject({ code: 'image_too_large' });
    const exact = target({ limits: { ...DEFAULT_LIMITS, maxPixels: 1200 * 800 } });
    await expect(toDecodable(large, env.TEST_IMAGES, exact)).resolves.toBeDefined();
    const bytes = target({ limits: { ...DEFAULT_LIMITS, maxBytes: small.length - 1 } });
    await expect(toDecodable(small, env.TEST_IMAGES, bytes)).rejects.toMatchObject({ code: 'image_too_large' });
    expect(pixels.held + bytes.held).toBe(0);
  });

  it('refuses what the platform cannot read, and keeps no memory', async () => {
    const asked = target();
    const damaged = small.slice();
    damaged.fill(0, 40);
    await expect(toDecodable(damaged, env.TEST_IMAGES, asked)).rejects.toMatchObject({ code: 'corrupt_image' });
    expect(asked.held).toBe(0);
  });
});

it('a classification says that its image was transcoded, and gives the memory back', async () => {
  const { name } = await seedDefaultModel();
  const { classifier, budget } = createServices(readConfig({ ...env }), {
    models: new R2ObjectStore(env.MODELS),
    wasmModules,
    headKernels,
    blobs: null,
    startDigest: startStreamDigest,
    cache: null,
    analytics: null,
    images: env.TEST_IMAGES,
    ledgers: env.MODERATION_LEDGER,
    heads: env.HEADS,
    jobsBucket: env.JOBS,
    jobs: env.BULK_JOB,
    jobDirectories: env.JOB_DIRECTORY,
    workBoard: env.WORK_BOARD,
    bindings: { ...env },
  });
  const reference = { name, reference: 'latest' };
  const answer = await classifier.classify(large, reference, { topK: 1, functionToApply: 'softmax' }, () => {});
  expect(answer.image).toEqual({ format: 'avif', width: 1200, height: 800, transcoded: true });
  const used = budget.usedBytes;
  await classifier.classify(large, reference, { topK: 1, functionToApply: 'softmax' }, () => {});
  expect(budget.usedBytes).toBe(used);
});
