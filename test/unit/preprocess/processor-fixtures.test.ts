import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readSafetensors, tensorToFloat32 } from '../../../model-store/safetensors.ts';
import { decodeImage } from '../../../worker/imaging/decode.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { normalize } from '../../../worker/preprocess/normalize.ts';
import { preprocess, preprocessImage, preprocessToRgb8 } from '../../../worker/preprocess/preprocess.ts';

const FOLDER = new URL('../../fixtures/processor/', import.meta.url);
const CONFIGS: Readonly<Record<string, unknown>> = JSON.parse(
  readFileSync(new URL('preprocessor_configs.json', FOLDER), 'utf8'),
);
const EXPECTED = readSafetensors(new Uint8Array(readFileSync(new URL('expected.safetensors', FOLDER))));

it('has an expected tensor for every config', () => {
  const configs = new Set([...EXPECTED.tensors.keys()].map((name) => name.split('.')[0]));
  expect([...configs].sort()).toEqual(Object.keys(CONFIGS).sort());
});

it.each([...EXPECTED.tensors.keys()])('gives the bits of the reference for %s', async (name) => {
  const [configName = '', imageName = ''] = name.split('.');
  const config = parseProcessorConfig(CONFIGS[configName]);
  const bytes = new Uint8Array(readFileSync(new URL(`${imageName}.png`, FOLDER)));
  const tensor = EXPECTED.tensors.get(name)!;
  const expected = tensorToFloat32(tensor);

  const result = await preprocess(bytes, config);
  expect([1, 3, result.height, result.width]).toEqual(tensor.shape);
  expect(result.pixelValues).toEqual(expected);

  expect(preprocessImage(await decodeImage(bytes), config).pixelValues).toEqual(expected);

  const { rgb8, height, width } = await preprocessToRgb8(bytes, config);
  const pixelValues = new Float32Array(3 * height * width);
  normalize(rgb8, { height, width }, config, pixelValues);
  expect(pixelValues).toEqual(expected);
});
