/** One peculiarity a file, made by scripts/goldens/images.py with what Pillow makes of it. */
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../worker/errors.ts';
import { decodeImage, decodeRows, estimateDecodeBytes, readInfo } from '../../../worker/imaging/decode.ts';
import { countAllocations } from '../../support/count-allocations.ts';
import { EDGE_CASES, type EdgeCase, edgeCaseBytes } from '../../support/edge-cases.ts';
import { CollectingSink, sha256 } from '../../support/rgb-image.ts';

const accepted = EDGE_CASES.filter((each) => each.error === undefined && each.allow_truncated !== true);
const filled = EDGE_CASES.filter((each) => each.allow_truncated === true);
const refused = EDGE_CASES.filter((each) => each.error !== undefined);

/** Names say where ours is another picture on purpose. */
const named = accepted.map((each): [string, EdgeCase] => [
  each.difference === undefined ? each.name : `${each.name} (deliberate: ${each.difference})`,
  each,
]);

describe('files that Pillow decodes', () => {
  it.each(named)('%s', async (_, each) => {
    const bytes = edgeCaseBytes(each);
    const image = await decodeImage(bytes);
    expect([image.width, image.height]).toEqual([each.width, each.height]);
    if (each.difference !== undefined) expect(each.sha256_ours).not.toBe(each.sha256_rgb);
    expect(sha256(image)).toBe(each.sha256_ours ?? each.sha256_rgb);

    const info = readInfo(bytes);
    expect([info.width, info.height]).toEqual([each.width, each.height]);
  });

  it.each(accepted)('$name: rows come once and in order, in the memory that was estimated', async (each) => {
    const bytes = edgeCaseBytes(each);
    const info = readInfo(bytes);
    const estimate = estimateDecodeBytes(bytes);
    const sink = new CollectingSink();
    const { bytes: allocated, error } = await countAllocations(() => decodeRows(bytes, sink));
    expect(error).toBeUndefined();
    expect([sink.width, sink.height]).toEqual([info.storedWidth, info.storedHeight]);
    const image = sink.image();
    expect(allocated - image.data.length).toBeLessThanOrEqual(estimate);
  });
});

describe('files that Pillow refuses', () => {
  it.each(refused)('$name: $error', async (each) => {
    const error: unknown = await decodeImage(edgeCaseBytes(each)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ImageError);
    expect(error).toHaveProperty('code', each.error);
  });
});

describe('files that end early', () => {
  it.each(filled)('$name: is refused, and filled as Pillow fills it where the caller allows it', async (each) => {
    const bytes = edgeCaseBytes(each);
    const error: unknown = await decodeImage(bytes).catch((thrown: unknown) => thrown);
    expect(error).toHaveProperty('code', 'truncated_image');

    const image = await decodeImage(bytes, { allowTruncated: true });
    expect([image.width, image.height]).toEqual([each.width, each.height]);
    expect(sha256(image)).toBe(each.sha256_rgb);
  });
});

describe('files cut anywhere', () => {
  const small = accepted.filter((each) => each.base64.length < 240 && each.zeros === undefined);

  it.each(small)('$name: every prefix decodes or is refused with a typed error, filled or not', async (each) => {
    const whole = edgeCaseBytes(each);
    for (let length = 0; length < whole.length; length++) {
      for (const allowTruncated of [false, true]) {
        const error: unknown = await decodeImage(whole.subarray(0, length), { allowTruncated }).catch(
          (thrown) => thrown,
        );
        if (error instanceof Error) expect(error).toBeInstanceOf(ImageError);
      }
    }
  });
});
