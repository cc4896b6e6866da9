/** Names for checkpoints that have none. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { weightShapes } from '../../../../model-store/bit-architecture.ts';
import { parseBitConfig } from '../../../../model-store/read-bit-config.ts';
import { float32Tensor, type SafetensorsTensor, writeSafetensors } from '../../../../model-store/safetensors.ts';
import { imagenetNames } from '../../../../scripts/cli/import/imagenet-names.ts';
import { prepareImport } from '../../../../scripts/cli/import/prepare.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-names-'));
});
afterAll(async () => rm(root, { recursive: true, force: true }));

/** A network of one layer with so many labels, in timm's names. */
async function writeTimm(name: string, labels: number, config: object = {}): Promise<string> {
  const shapes = weightShapes(
    parseBitConfig({ embedding_size: 32, hidden_sizes: [32], depths: [1], num_labels: labels, num_groups: 8 }),
  );
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [hf, shape] of shapes) {
    const timm = hf
      .replace('bit.embedder.convolution', 'stem.conv')
      .replace('bit.encoder.', '')
      .replace('.layers.', '.blocks.')
      .replace('bit.norm', 'norm')
      .replace('classifier.1', 'head.fc');
    const count = shape.reduce((product, size) => product * size, 1);
    tensors.set(
      timm,
      float32Tensor(
        shape,
        Float32Array.from({ length: count }, (_, i) => ((i * 7) % 11) / 11),
      ),
    );
  }
  const path = join(root, `${name}.safetensors`);
  await writeFile(path, writeSafetensors(tensors));
  await writeFile(join(root, 'config.json'), JSON.stringify({ num_groups: 8, ...config }));
  return path;
}

const prepare = (source: string, labels: string | null = null) =>
  prepareImport(
    {
      ...{ source, labels, out: join(root, 'out'), variants: 'usual', revision: null, outputs: null },
      ...{ calibrate: null, evaluate: null, preprocessor: null, size: null, name: null, version: null },
    },
    {},
  );

it("has ImageNet's names in the order of the outputs", async () => {
  const { names } = (await imagenetNames(1000, 'x'))!;
  expect(names).toHaveLength(1000);
  // As in google/bit-50's config.json.
  const known = { 0: 'tench, Tinca tinca', 134: 'crane', 281: 'tabby, tabby cat', 282: 'tiger cat' };
  for (const [index, name] of Object.entries(known)) expect(names[Number(index)]).toBe(name);
  expect(names[999]).toBe('toilet tissue, toilet paper, bathroom tissue');
  const { names: all, assumed } = (await imagenetNames(21_843, 'x'))!;
  expect(all).toHaveLength(21_843);
  expect(all.slice(0, 3)).toEqual(['organism, being', 'benthos', 'heterotroph']);
  expect(assumed).toBe(false);
  expect(await imagenetNames(200, 'imagenet')).toBeNull();
});

it('gives them to timm networks without names, and warns if nothing but their number speaks for them', async () => {
  const nameless = await prepare(await writeTimm('mine', 1000));
  expect(nameless.checkpoint.config.labels[282]).toBe('tiger cat');
  expect(nameless.warnings).toContainEqual(expect.stringMatching(/^labels 1000: tench.*--labels says otherwise$/));
  const known = await prepare(await writeTimm('resnetv2_50x1_bit.goog_in21k_ft_in1k', 1000));
  expect(known.checkpoint.config.labels[282]).toBe('tiger cat');
  expect(known.warnings.filter((warning) => warning.startsWith('labels'))).toEqual([]);
  expect(known.origins.find(({ field }) => field === 'labels')).toMatchObject({
    from: expect.stringContaining('ImageNet-1k'),
  });
});

it('leaves names that there are, and lets --labels win', async () => {
  const own = Array.from({ length: 1000 }, (_, i) => `own ${i}`);
  const named = await prepare(await writeTimm('named', 1000, { label_names: own }));
  expect(named.checkpoint.config.labels[282]).toBe('own 282');
  const file = join(root, 'labels.json');
  await writeFile(file, JSON.stringify(own.toReversed()));
  const given = await prepare(await writeTimm('mine', 1000), file);
  expect(given.checkpoint.config.labels[0]).toBe('own 999');
  expect(given.origins.find(({ field }) => field === 'labels')).toMatchObject({
    from: `--labels ${file}`,
    assumed: false,
  });
  const other = await prepare(await writeTimm('other', 7));
  expect(other.checkpoint.config.labels[0]).toBe('LABEL_0');
});

it('has one name a line in both files', async () => {
  for (const file of ['imagenet-1k.txt', 'imagenet-21k.txt']) {
    const text = await readFile(`scripts/cli/import/labels/${file}`, 'utf8');
    expect(text.split('\n').filter((line) => line !== line.trim() || line === '')).toEqual(['']);
  }
});
