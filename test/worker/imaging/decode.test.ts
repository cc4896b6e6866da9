/** The decoders inside workerd: the same peculiar files as under Node, with the same outcome. */
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../worker/errors.ts';
import { decodeImage } from '../../../worker/imaging/decode.ts';
import edgeCases from '../../fixtures/images/edge-cases.json';

interface Case {
  readonly name: string;
  readonly base64: string;
  readonly sha256_rgb?: string;
  readonly error?: string;
  readonly allow_truncated?: boolean;
}

const cases: readonly Case[] = edgeCases.cases;

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
  it(`gives Pillow's outcome for ${cases.length} files`, async () => {
    const differences: string[] = [];
    for (const { name, base64, sha256_rgb, error, allow_truncated } of cases) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const got = await outcome(bytes, allow_truncated === true);
      if (got !== (sha256_rgb ?? error)) differences.push(`${name}: ${got}`);
    }
    expect(differences).toEqual([]);
  });
});
