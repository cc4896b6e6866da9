import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type FoundCheckpoint, readCheckpoint } from '../../../../../model-store/build/checkpoint/read-checkpoint.ts';
import { openTorchFile } from '../../../../../model-store/build/checkpoint/torch/torch-file.ts';
import { memoryDirectory } from '../../../../../model-store/checkpoint-directory.ts';

/** Made by torch 2.13: scripts/goldens/checkpoint_pickles.py. */
const FOLDER = new URL('../../../../fixtures/checkpoint/torch/', import.meta.url);
const fixture = (path: string) => new Uint8Array(readFileSync(new URL(path, FOLDER)));
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const config = fixture('config.json');

async function read(path: string, as = path): Promise<FoundCheckpoint> {
  return readCheckpoint(memoryDirectory({ 'config.json': config, [as]: fixture(path) }), as);
}

/** The weights' bits by name, so that signs of zeros count. */
function bits({ checkpoint }: FoundCheckpoint): Record<string, readonly unknown[]> {
  const entries = [...checkpoint.weights].map(([name, { shape, data }]) => {
    return [name, [shape, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')]] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('a pickle of torch', () => {
  it.each([
    ['a zip archive', 'zip.bin', 'model'],
    ['the form before torch 1.6', 'legacy.bin', 'model'],
    ['protocol 4', 'protocol4.bin', 'model'],
    ['an archive without CRCs', 'without-crc.bin', 'model'],
    ['a deflated archive', 'deflated.bin', 'model'],
    ['an archive of a machine with the big end first', 'big-endian.bin', 'model'],
    ['float16 with the big end first', 'half-big-endian.bin', 'half'],
    ['parameters in place of tensors', 'parameters.pth', 'model'],
    ['views of one storage, transposed and with gaps', 'views.bin', 'model'],
    ['the same in the old form', 'views-legacy.bin', 'model'],
    ['an expanded tensor', 'expanded.bin', 'expanded'],
    ['float16, bfloat16, float64 and 8-bit floats', 'mixed.bin', 'mixed'],
    ['"state_dict" of a training checkpoint, under DistributedDataParallel', 'state-dict.pth', 'model'],
    ['"model" of a training checkpoint, in the old form', 'model-legacy.pth', 'model'],
    ['the averaged weights where there are some', 'ema.pth', 'model'],
  ])('is read as the safetensors file is, bit for bit: %s', async (_, file, reference) => {
    expect(bits(await read(file))).toEqual(bits(await read(`${reference}.safetensors`)));
  });

  it('is found by its name, whole or in shards, and by its ending', async () => {
    const expected = bits(await read('model.safetensors'));
    const shards = readdirSync(new URL('sharded/', FOLDER)).map((name) => [name, fixture(`sharded/${name}`)] as const);
    const folders = [
      { 'pytorch_model.bin': fixture('zip.bin'), 'training_args.bin': new Uint8Array(3), 'optimizer.pt': config },
      Object.fromEntries(shards),
      { 'checkpoint-7.pth.tar': fixture('model-legacy.pth') },
    ];
    for (const files of folders) {
      const found = await readCheckpoint(memoryDirectory({ 'config.json': config, ...files }), null);
      expect(bits(found)).toEqual(expected);
    }
    // Safetensors come first where both are there.
    const both = { 'pytorch_model.bin': new Uint8Array(3), 'model.safetensors': fixture('model.safetensors') };
    const found = await readCheckpoint(memoryDirectory({ 'config.json': config, ...both }), null);
    expect(found.weightFiles).toEqual(['model.safetensors']);
  });

  it.each(['timm.pth', 'timm-training.pth.tar'])("may hold timm's names: %s", async (file) => {
    const directory = memoryDirectory({ 'config.json': json({ num_groups: 4 }), [file]: fixture(file) });
    const found = await readCheckpoint(directory, null);
    expect(found.kind).toBe('timm');
    expect(bits(found)).toEqual(bits(await read('model.safetensors')));
  });

  it('says what was taken off to get at the weights', async () => {
    expect((await read('state-dict.pth')).notes).toEqual([
      'state-dict.pth: the weights are its "state_dict"',
      'names without the prefix "module."',
    ]);
    expect((await read('ema.pth')).notes).toEqual(['ema.pth: the weights are its "state_dict_ema"']);
    expect((await read('zip.bin')).notes).toEqual([]);
  });

  it('is read by ranges: what the network does not need is never touched', async () => {
    const bytes = fixture('state-dict.pth');
    const ranges: number[] = [];
    const file = {
      name: 'a.pth',
      size: bytes.length,
      close: async () => {},
      read: async (offset: number, length: number) => {
        ranges.push(length);
        return bytes.subarray(offset, offset + length);
      },
    };
    await openTorchFile(file);
    // The tail, where an archive keeps its directory, and the pickle: no storage.
    expect(ranges.filter((length) => length > 60_000)).toHaveLength(1);
    expect(ranges.filter((length) => length < 60_000).reduce((sum, length) => sum + length, 0)).toBeLessThan(25_000);
    ranges.length = 0;
    const others = memoryDirectory({ 'config.json': config });
    const directory = {
      list: async () => ['a.pth', 'config.json'],
      open: async (name: string) => (name === 'a.pth' ? file : others.open(name)),
    };
    const found = await readCheckpoint(directory, 'a.pth');
    const weightBytes = [...found.checkpoint.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    const read = ranges.filter((length) => length < 60_000).reduce((sum, length) => sum + length, 0);
    // The optimizer has as many bytes again, twice.
    expect(read).toBeLessThan(weightBytes + 25_000);
  });
});

describe('a hostile pickle', () => {
  it.each([
    ['os-system', '.system'],
    ['os-system-legacy', '.system'],
    ['nested', 'eval'],
    ['nested-legacy', 'eval'],
    ['state', 'exec'],
    ['state-legacy', 'exec'],
    ['getattr', 'getattr'],
    ['getattr-legacy', 'getattr'],
    ['module', 'torch.nn.modules.linear.Linear'],
    ['module-zip', 'torch.nn.modules.linear.Linear'],
  ])('is refused by the name of what it asks for: %s', async (name, global) => {
    await expect(read(`hostile/${name}.bin`, 'pytorch_model.bin')).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringMatching(/pytorch_model\.bin: pickle refused at byte \d+: it asks for ".*nothing was run/),
      details: { global: expect.stringContaining(global) },
    });
    expect(existsSync('/tmp/bit-edge-pickle-was-run')).toBe(false);
  });

  it.each([
    ['key-with-path', 'a storage with the key "../../../../etc/passwd"'],
    ['missing-storage', 'is not in the archive'],
    ['short-storage', 'storage 0 of 20 bytes has 16 bytes'],
    ['beyond', 'reaches to element 4 of 4'],
    ['stride-beyond', 'reaches to element 4 of 4'],
    ['expand-bomb', 'repeats 4 elements to make 4294967296'],
    ['negative-stride', 'strides has -1'],
    ['zip-bomb', 'is compressed; limit 268435456 bytes'],
    ['memo-bomb', 'no state dict in it'],
    ['marks', 'more than 1000000 marks'],
    ['self', 'no state dict in it'],
    ['long', 'an integer of 2147483647 bytes'],
    ['empty', 'no state dict in it'],
  ])('ends in a typed error: %s', async (name, message) => {
    await expect(read(`hostile/${name}.bin`, 'pytorch_model.bin')).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringContaining(message),
    });
  });

  it('is refused where it is a program', async () => {
    await expect(read('hostile/torchscript.pt', 'model.pt')).rejects.toThrowError('TorchScript: a program');
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['no pickle', json({ not: 'a pickle' })],
    ['a tar archive of old', new Uint8Array(1024)],
    ['the beginning of a zip', Uint8Array.of(0x50, 0x4b, 3, 4)],
  ])('is refused where it is %s', async (_, bytes) => {
    const directory = memoryDirectory({ 'config.json': config, 'pytorch_model.bin': bytes });
    await expect(readCheckpoint(directory, null)).rejects.toMatchObject({ code: 'invalid_checkpoint' });
  });
});
