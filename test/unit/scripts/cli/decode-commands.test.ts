import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../../../worker/imaging/decode.ts';
import { bitEdge } from '../../../support/command-line.ts';

const FIXTURES = 'test/fixtures/images';
const manifest = JSON.parse(await readFile(`${FIXTURES}/manifest.json`, 'utf8'));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-decode-'));
});
afterAll(async () => rm(root, { recursive: true, force: true }));

/** A PNG that ends in the middle of its image data. */
async function writeCut(name: string): Promise<string> {
  const path = join(root, name);
  const whole = await readFile(`${FIXTURES}/png-rgb.png`);
  await writeFile(path, whole.subarray(0, whole.length >> 1));
  return path;
}

describe('bit-edge decode', () => {
  it('prints one line a file, in order, and exits with 0 where all were decoded', async () => {
    const files = ['gif.gif', 'png-rgba.png', 'bmp-rgb.bmp'].map((name) => `${FIXTURES}/${name}`);
    const { exitCode, stdout } = await bitEdge(['decode', ...files]);
    expect(exitCode).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      ['gif', 'png', 'bmp'].map((format, i) => {
        const expected = manifest.images[files[i]!.slice(FIXTURES.length + 1)];
        const [width, height] = expected.upright_size;
        return { file: files[i], format, width, height, sha256_rgb: expected.sha256_rgb };
      }),
    );
  });

  it('goes on after a file that is not decoded, says why, and exits with 1', async () => {
    const cut = await writeCut('cut.png');
    const files = [cut, join(root, 'absent.png'), `${FIXTURES}/manifest.json`, `${FIXTURES}/gif.gif`];
    const { exitCode, stdout } = await bitEdge(['decode', ...files]);
    expect(exitCode).toBe(1);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.file)).toEqual(files);
    expect(lines.map((line) => line.error?.code)).toEqual([
      'truncated_image',
      'not_found',
      'unrecognized_image',
      undefined,
    ]);
  });

  it('fills a truncated file where it is told to', async () => {
    const cut = await writeCut('cut-filled.png');
    const { exitCode, stdout } = await bitEdge(['decode', '--allow-truncated', cut]);
    expect(exitCode).toBe(0);
    const line = JSON.parse(stdout);
    expect([line.width, line.height]).toEqual([157, 113]);
    expect(line.sha256_rgb).not.toBe(manifest.images['png-rgb.png'].sha256_rgb);
  });

  it('explains itself, and refuses to run without files', async () => {
    expect(await bitEdge(['decode', '--help'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('usage'),
    });
    expect(await bitEdge(['decode'])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('usage') });
    expect(await bitEdge(['decode', '--nonsense'])).toMatchObject({ exitCode: 2 });
  });
});

describe('bit-edge contact-sheet', () => {
  it('puts every file on one page that decodes again, pictures and errors alike', async () => {
    const folder = join(root, 'pictures');
    await mkdir(folder);
    await writeFile(join(folder, 'a.bmp'), await readFile(`${FIXTURES}/bmp-rgb.bmp`));
    await writeFile(join(folder, 'b.txt'), 'no picture');
    const out = join(root, 'sheet.png');
    const { exitCode, stderr } = await bitEdge(['contact-sheet', '--thumb', '157', '--columns', '2', folder, out]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('1 of 2 files decoded');

    const page = await decodeImage(await readFile(out));
    expect([page.width, page.height]).toEqual([2 * 163 + 6, 163 + 11 + 6]);
    const picture = await decodeImage(await readFile(`${FIXTURES}/bmp-rgb.bmp`));
    // The picture keeps its 157x113 px: it stands in the middle of the first tile, which starts at 6,6.
    for (let y = 0; y < 113; y++) {
      const at = ((6 + 22 + y) * page.width + 6) * 3;
      expect(page.data.subarray(at, at + 157 * 3)).toEqual(picture.data.subarray(y * 157 * 3, (y + 1) * 157 * 3));
    }
  });

  it('refuses wrong usage and an empty folder', async () => {
    const empty = join(root, 'empty');
    await mkdir(empty);
    expect((await bitEdge(['contact-sheet', empty])).exitCode).toBe(2);
    expect((await bitEdge(['contact-sheet', '--columns', '0', empty, join(root, 'x.png')])).exitCode).toBe(2);
    expect((await bitEdge(['contact-sheet', empty, join(root, 'x.png')])).exitCode).toBe(1);
  });
});
