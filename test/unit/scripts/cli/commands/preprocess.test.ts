import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { readSafetensors, tensorToFloat32 } from '../../../../../model-store/safetensors.ts';
import { run } from '../../../../../scripts/cli/commands/preprocess.ts';

const FIXTURES = fileURLToPath(new URL('../../../../fixtures/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bit-edge-preprocess-'));
afterAll(() => rmSync(folder, { recursive: true }));

function writeConfig(name: string): string {
  const configs: Readonly<Record<string, unknown>> = JSON.parse(
    readFileSync(join(FIXTURES, 'processor/preprocessor_configs.json'), 'utf8'),
  );
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(configs[name]));
  return path;
}

it('writes one pixel_values tensor for several files, in their order', async () => {
  const out = join(folder, 'x.safetensors');
  const files = ['landscape', 'portrait', 'tiny'];
  const paths = files.map((name) => join(FIXTURES, `processor/${name}.png`));
  expect(await run(['--config', writeConfig('no-normalize'), '--out', out, ...paths])).toBe(0);

  const tensor = readSafetensors(new Uint8Array(readFileSync(out))).tensors.get('pixel_values')!;
  expect(tensor).toMatchObject({ dtype: 'F32', shape: [3, 3, 64, 64] });
  const expected = readSafetensors(new Uint8Array(readFileSync(join(FIXTURES, 'processor/expected.safetensors'))));
  const values = files.flatMap((name) => [...tensorToFloat32(expected.tensors.get(`no-normalize.${name}`)!)]);
  expect(tensorToFloat32(tensor)).toEqual(Float32Array.from(values));
});

it('refuses a file that is no picture, and names it', async () => {
  const args = ['--config', writeConfig('bit-50'), '--out', join(folder, 'y.safetensors'), writeConfig('bit-50')];
  await expect(run(args)).rejects.toMatchObject({
    code: 'unrecognized_image',
    message: expect.stringContaining('bit-50.json'),
  });
});

it('refuses a config that is no JSON, and names it', async () => {
  const picture = join(FIXTURES, 'processor/tiny.png');
  await expect(run(['--config', picture, '--out', join(folder, 'z'), picture])).rejects.toMatchObject({
    code: 'invalid_model_config',
    message: expect.stringContaining('tiny.png'),
  });
});

it('answers wrong usage with 2, and pictures of different sizes with 1', async () => {
  expect(await run([])).toBe(2);
  const config = join(folder, 'free.json');
  writeFileSync(config, JSON.stringify({ size: 32, do_center_crop: false }));
  const paths = ['landscape', 'portrait'].map((name) => join(FIXTURES, `processor/${name}.png`));
  expect(await run(['--config', config, '--out', join(folder, 'w'), ...paths])).toBe(1);
});
