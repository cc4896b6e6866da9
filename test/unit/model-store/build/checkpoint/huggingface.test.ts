import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readHuggingFace } from '../../../../../model-store/build/checkpoint/huggingface.ts';
import { memoryDirectory } from '../../../../../model-store/checkpoint-directory.ts';
import { float32Tensor, readSafetensors, writeSafetensors } from '../../../../../model-store/safetensors.ts';

const fixture = (path: string) =>
  new Uint8Array(readFileSync(new URL(`../../../../fixtures/bit/${path}`, import.meta.url)));
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const configBytes = fixture('default/config.json');
const weightsBytes = fixture('default/model.safetensors');
const config: Record<string, unknown> = JSON.parse(new TextDecoder().decode(configBytes));
const tensors = readSafetensors(weightsBytes).tensors;

/** The default fixture in two shards; `change` may spoil the index. */
function sharded(change: (map: Record<string, string>) => void = () => {}) {
  const names = [...tensors.keys()];
  const shards: Record<string, string[]> = { 'a.safetensors': names.slice(0, 20), 'b.safetensors': names.slice(20) };
  const map: Record<string, string> = {};
  const files: Record<string, Uint8Array> = { 'config.json': configBytes };
  for (const [shard, members] of Object.entries(shards)) {
    for (const name of members) map[name] = shard;
    files[shard] = writeSafetensors(new Map(members.map((name) => [name, tensors.get(name)!])));
  }
  change(map);
  files['model.safetensors.index.json'] = json({ metadata: {}, weight_map: map });
  return memoryDirectory(files);
}

describe('readHuggingFace', () => {
  it('reads config and weights of a classifier', async () => {
    const directory = memoryDirectory({ 'config.json': configBytes, 'model.safetensors': weightsBytes });
    const checkpoint = await readHuggingFace(directory);
    expect(checkpoint.config).toMatchObject({ hiddenSizes: [32, 64, 96, 128], numLabels: 7 });
    expect(checkpoint.weights.get('classifier.1.weight')!.shape).toEqual([7, 128]);
    expect(checkpoint.weights.size).toBe(tensors.size);
  });

  it('reads a bare BitModel, whose names have no prefix, as a network without labels', async () => {
    const directory = memoryDirectory({
      'config.json': fixture('features-only/config.json'),
      'model.safetensors': fixture('features-only/model.safetensors'),
    });
    const checkpoint = await readHuggingFace(directory);
    expect(checkpoint.config.numLabels).toBe(0);
    expect(checkpoint.weights.has('bit.embedder.convolution.weight')).toBe(true);
  });

  it('reads shards through their index', async () => {
    const whole = await readHuggingFace(
      memoryDirectory({ 'config.json': configBytes, 'model.safetensors': weightsBytes }),
    );
    expect((await readHuggingFace(sharded())).weights).toEqual(whole.weights);
  });

  it('takes the head from the weights where the config names no architecture', async () => {
    const { architectures: _, id2label: __, ...rest } = config;
    const headless = new Map([...tensors].filter(([name]) => !name.startsWith('classifier.')));
    const directory = memoryDirectory({ 'config.json': json(rest), 'model.safetensors': writeSafetensors(headless) });
    expect((await readHuggingFace(directory)).config.numLabels).toBe(0);
  });

  it.each([
    ['a missing config', { 'model.safetensors': weightsBytes }, 'config.json is missing'],
    ['missing weights', { 'config.json': configBytes }, 'neither model.safetensors, '],
    ['a config that is no JSON', { 'config.json': fixture('default/model.safetensors') }, 'config.json: not JSON'],
    [
      'a config that names other shapes',
      { 'config.json': json({ ...config, hidden_sizes: [32, 64, 96, 160] }), 'model.safetensors': weightsBytes },
      'bit.encoder.stages.3.layers.0.downsample.conv.weight" has shape [128,96,1,1]; the config gives [160,96,1,1]',
    ],
    [
      'a missing tensor',
      {
        'config.json': configBytes,
        'model.safetensors': writeSafetensors(new Map([...tensors].filter(([name]) => name !== 'bit.norm.bias'))),
      },
      'tensor "bit.norm.bias" is missing',
    ],
    [
      'a superfluous tensor',
      {
        'config.json': configBytes,
        'model.safetensors': writeSafetensors(
          new Map([...tensors, ['extra', float32Tensor([1], new Float32Array(1))]]),
        ),
      },
      'tensor "extra" is not part',
    ],
    [
      'weights that are not finite',
      {
        'config.json': configBytes,
        'model.safetensors': writeSafetensors(
          new Map([...tensors, ['classifier.1.bias', float32Tensor([7], new Float32Array(7).fill(Number.NaN))]]),
        ),
      },
      'tensor "classifier.1.bias" has values that are not finite',
    ],
  ] as [string, Record<string, Uint8Array>, string][])('refuses %s', async (_, files, message) => {
    await expect(readHuggingFace(memoryDirectory(files))).rejects.toThrowError(message);
  });

  it.each([
    [
      'a shard that is not there',
      (map: Record<string, string>) => (map['bit.norm.other'] = 'c.safetensors'),
      'c.safetensors, which is not there',
    ],
    [
      'a tensor in the wrong shard',
      (map: Record<string, string>) => (map['bit.norm.bias'] = 'a.safetensors'),
      'is not there according to',
    ],
    [
      'a tensor in no shard',
      (map: Record<string, string>) => (map['bit.norm.other'] = 'a.safetensors'),
      '"bit.norm.other" is missing',
    ],
    [
      'a shard outside the directory',
      (map: Record<string, string>) => (map['bit.norm.bias'] = '../a.safetensors'),
      'is not a file name',
    ],
  ])('refuses an index that names %s', async (_, change, message) => {
    await expect(readHuggingFace(sharded(change))).rejects.toThrowError(message);
  });
});
