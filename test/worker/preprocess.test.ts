import { expect, it } from 'vitest';
import { readSafetensors, tensorToFloat32 } from '../../model-store/safetensors.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { preprocess, preprocessToRgb8 } from '../../worker/preprocess/preprocess.ts';
import { readFixture } from '../support/worker/seed.ts';

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await readFixture(path))) as T;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

it('gives the bits of BitImageProcessor inside workerd', async () => {
  const configs = await readJson<Record<string, unknown>>('processor/preprocessor_configs.json');
  const { tensors } = readSafetensors(await readFixture('processor/expected.safetensors'));
  expect(tensors.size).toBeGreaterThan(5);
  for (const [name, tensor] of tensors) {
    const [config = '', image = ''] = name.split('.');
    const bytes = await readFixture(`processor/${image}.png`);
    const { pixelValues } = await preprocess(bytes, parseProcessorConfig(configs[config]));
    expect(pixelValues, name).toEqual(tensorToFloat32(tensor));
  }
});

it('gives the bits of Pillow for JPEGs decoded scaled, in every orientation, inside workerd', async () => {
  interface Golden {
    readonly file: string;
    readonly shortest_edge: number;
    readonly sha256: string;
  }
  const { draft } = await readJson<{ readonly draft: readonly Golden[] }>('preprocess/goldens.json');
  const goldens = draft.filter(({ file }) => file.startsWith('jpeg-orient'));
  expect(goldens).toHaveLength(32);
  for (const golden of goldens) {
    const config = parseProcessorConfig({ size: golden.shortest_edge, do_center_crop: false });
    const { rgb8 } = await preprocessToRgb8(await readFixture(`images/${golden.file}`), config);
    expect(await sha256(rgb8), JSON.stringify(golden)).toBe(golden.sha256);
  }
});
