/** The decoders inside workerd: the same peculiar files as under Node, with the same outcome. */
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../worker/errors.ts';
import { decodeImage } from '../../../worker/imaging/decode.ts';
import { EDGE_CASES, edgeCaseBytes } from '../../support/edge-cases.ts';

async function outcome(bytes: Uint8Array, allowTruncated: boolean): Promise<string> {
  try {
    const { data } = await decodeImage(bytes, { allowTruncated });
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', data));
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  } catch (error) {
    if (error instanceof ImageError) return error.code;
    throw error;
  }
}

describe('decoding in workerd', () => {
  it(`gives Pillow's outcome for ${EDGE_CASES.length} files`, async () => {
    const differences: string[] = [];
    for (const each of EDGE_CASES) {
      const got = await outcome(edgeCaseBytes(each), each.allow_truncated === true);
      if (got !== (each.sha256_ours ?? each.sha256_rgb ?? each.error)) differences.push(`${each.name}: ${got}`);
    }
    expect(differences).toEqual([]);
  });
});
