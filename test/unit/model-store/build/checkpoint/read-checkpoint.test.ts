import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCheckpoint } from '../../../../../model-store/build/checkpoint/read-checkpoint.ts';
import { memoryDirectory } from '../../../../../model-store/checkpoint-directory.ts';
import { float32Tensor, readSafetensors, writeSafetensors } from '../../../../../model-store/safetensors.ts';
import { parseProcessorConfig } from '../../../../../worker/preprocess/config.ts';

const fixture = (path: string) =>
  new Uint8Array(readFileSync(new URL(`../../../../fixtures/${path}`, import.meta.url)));
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const config = fixture('formats/config.json');
const timm = fixture('formats/timm.safetensors');
const google = fixture('formats/google.npz');
const pretrained = {
  input_size: [3, 448, 448],
  interpolation: 'bilinear',
  crop_pct: 1,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

describe('readCheckpoint', () => {
  it('reads the same network from timm and from Google, the architecture off the arrays', async () => {
    const fromTimm = await readCheckpoint(memoryDirectory({ 'model.safetensors': timm }), null);
    const fromGoogle = await readCheckpoint(memoryDirectory({ 'BiT-M-R50x1.npz': google }), null);
    expect(fromTimm.kind).toBe('timm');
    expect(fromGoogle.kind).toBe('google');
    expect(fromTimm.checkpoint.config).toMatchObject({
      depths: [1, 2, 1, 1],
      hiddenSizes: [128, 128, 256, 256],
      embeddingSize: 32,
      numLabels: 11,
      numGroups: 32,
      globalPadding: null,
      embeddingDynamicPadding: false,
    });
    expect(fromGoogle.checkpoint.config).toEqual(fromTimm.checkpoint.config);
    expect(new Map([...fromGoogle.checkpoint.weights].sort())).toEqual(
      new Map([...fromTimm.checkpoint.weights].sort()),
    );
  });

  it('knows a Hugging Face directory by its names', async () => {
    const directory = memoryDirectory({
      'config.json': fixture('bit/default/config.json'),
      'model.safetensors': fixture('bit/default/model.safetensors'),
      'preprocessor_config.json': json({ size: { height: 64, width: 64 }, do_center_crop: false }),
    });
    const found = await readCheckpoint(directory, null);
    expect(found).toMatchObject({ kind: 'huggingface', weightFiles: ['model.safetensors'] });
    expect(found.preprocessor).toEqual({ size: { height: 64, width: 64 }, do_center_crop: false });
    expect(found.preprocessorSource).toBe('preprocessor_config.json');
  });

  it('takes the one file named, where a directory has several', async () => {
    const directory = memoryDirectory({ 'config.json': config, 'google.npz': google, 'timm.safetensors': timm });
    expect((await readCheckpoint(directory, 'google.npz')).kind).toBe('google');
    expect((await readCheckpoint(directory, 'timm.safetensors')).kind).toBe('timm');
    await expect(readCheckpoint(directory, null)).rejects.toThrowError(
      'several checkpoints: google.npz, timm.safetensors',
    );
  });

  it("takes labels and preprocessing from timm's config.json", async () => {
    const names = Array.from({ length: 11 }, (_, i) => `n${i}`);
    const timmConfig = {
      architecture: 'resnetv2_50x1_bit',
      num_classes: 11,
      num_features: 256,
      global_pool: 'avg',
      label_names: names,
      label_descriptions: { n3: 'three' },
      pretrained_cfg: { ...pretrained, crop_pct: 0.875, input_size: [3, 224, 224] },
    };
    const found = await readCheckpoint(
      memoryDirectory({ 'config.json': json(timmConfig), 'model.safetensors': timm }),
      null,
    );
    expect(found.checkpoint.config.labels.slice(2, 5)).toEqual(['n2', 'three', 'n4']);
    expect(parseProcessorConfig(found.preprocessor)).toMatchObject({
      resize: { target: { kind: 'shortest_edge', shortestEdge: 256 }, resample: 2 },
      centerCrop: { height: 224, width: 224 },
      normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    });
  });

  it('reads the flat config.json that timm wrote before 0.9, and says what it took for granted', async () => {
    const flat = {
      architecture: 'resnetv2_50x1_bitm',
      num_classes: 11,
      input_size: [3, 448, 448],
      crop_pct: 1.0,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      labels: Array.from({ length: 11 }, (_, i) => `name ${i}`),
      first_conv: 'stem.conv',
    };
    const found = await readCheckpoint(memoryDirectory({ 'config.json': json(flat), 'model.safetensors': timm }), null);
    expect(parseProcessorConfig(found.preprocessor)).toMatchObject({
      resize: { target: { shortestEdge: 448 } },
      centerCrop: { height: 448, width: 448 },
    });
    expect(found.checkpoint.config.labels[10]).toBe('name 10');
    expect(found.preprocessorOrigins.filter(({ assumed }) => assumed)).toEqual([
      { field: 'interpolation', value: '"bilinear"', from: expect.stringContaining("timm's own"), assumed: true },
    ]);
    expect(found.origins.find(({ field }) => field === 'labels')).toMatchObject({ assumed: false });
    expect(found.origins.find(({ field }) => field === 'depths')).toMatchObject({
      from: 'the weights',
      value: '[1,2,1,1]',
    });
  });

  it('marks as assumed what nothing says: labels and preprocessing of bare weights', async () => {
    const found = await readCheckpoint(memoryDirectory({ 'BiT-M-R50x1.npz': google }), null);
    expect(found.origins.filter(({ assumed }) => assumed).map(({ field }) => field)).toEqual(['labels']);
    expect(found.preprocessorOrigins.every(({ assumed }) => assumed)).toBe(true);
  });

  it.each([
    [
      { feature_extractor_type: 'BitFeatureExtractor', size: 256, crop_size: 224 },
      { resize: { target: { shortestEdge: 256 } }, centerCrop: { height: 224 } },
    ],
    [
      { feature_extractor_type: 'ViTFeatureExtractor', size: 224 },
      { resize: { target: { height: 224, width: 224 }, resample: 2 }, centerCrop: null },
    ],
    [{ image_processor_type: 'ViTImageProcessorFast' }, { normalize: { mean: [0.5, 0.5, 0.5] }, centerCrop: null }],
    [
      { image_processor_type: 'BitImageProcessorFast', crop_size: { height: 96, width: 96 } },
      { centerCrop: { height: 96 } },
    ],
    [{ image_processor: { image_processor_type: 'BitImageProcessor', crop_size: 96 } }, { centerCrop: { height: 96 } }],
  ])("reads a processor's older and other names: %j", async (processor, expected) => {
    const directory = memoryDirectory({
      'config.json': fixture('bit/default/config.json'),
      'model.safetensors': fixture('bit/default/model.safetensors'),
      'preprocessor_config.json': json(processor),
    });
    const { preprocessor } = await readCheckpoint(directory, null);
    expect(parseProcessorConfig(preprocessor)).toMatchObject(expected);
  });

  it('refuses the processor of a class that makes other pixels, naming it', async () => {
    const directory = memoryDirectory({
      'config.json': fixture('bit/default/config.json'),
      'model.safetensors': fixture('bit/default/model.safetensors'),
      'preprocessor_config.json': json({ image_processor_type: 'ConvNextImageProcessor' }),
    });
    await expect(readCheckpoint(directory, null)).rejects.toThrowError('"ConvNextImageProcessor" makes other pixels');
  });

  it("takes a training wrapper's prefix off the names of safetensors too", async () => {
    const tensors = readSafetensors(fixture('bit/default/model.safetensors')).tensors;
    const wrapped = new Map([...tensors].map(([name, tensor]) => [`module.${name}`, tensor]));
    const directory = memoryDirectory({
      'config.json': fixture('bit/default/config.json'),
      'model.safetensors': writeSafetensors(wrapped),
    });
    const found = await readCheckpoint(directory, null);
    expect(found.notes).toEqual(['names without the prefix "module."']);
    expect(found.checkpoint.weights.size).toBe(tensors.size);
  });

  it.each([
    ['architecture', { architecture: 'resnet50' }],
    ['num_classes', { num_classes: 12 }],
    ['hidden_sizes', { hidden_sizes: [1, 2, 3, 4] }],
    ['num_groups', { num_groups: 24 }],
    ['global_pool', { global_pool: 'max' }],
    ['model_args.output_stride', { model_args: { output_stride: 8 } }],
    ['label_names', { label_names: ['a'] }],
    ['pretrained_cfg.interpolation', { pretrained_cfg: { ...pretrained, interpolation: 'random' } }],
  ])('refuses a timm config whose %s does not fit, naming it', async (field, value) => {
    const directory = memoryDirectory({ 'config.json': json(value), 'model.safetensors': timm });
    await expect(readCheckpoint(directory, null)).rejects.toThrowError(`: ${field}: `);
  });

  it('has a processor that the worker accepts for every kind of source', async () => {
    for (const [name, bytes] of [
      ['model.safetensors', timm],
      ['a.npz', google],
    ] as const) {
      const { preprocessor } = await readCheckpoint(memoryDirectory({ [name]: bytes }), null);
      expect(parseProcessorConfig(preprocessor).centerCrop).toEqual({ height: 224, width: 224 });
    }
  });

  it.each(['pytorch_model.bin', 'BiT-M.pth', 'model.pt', 'a.ckpt', 'a.pth.tar'])(
    'takes %s for a pickle of torch, and names it where it is none',
    async (name) => {
      const directory = memoryDirectory({ 'config.json': config, [name]: new Uint8Array(10) });
      for (const file of [null, name]) {
        await expect(readCheckpoint(directory, file)).rejects.toThrowError(`${name}: pickle refused at byte 0: `);
      }
    },
  );

  it.each([
    ['nothing to read', { 'README.md': new Uint8Array(1) }, null, 'there is README.md'],
    ['a file of another kind', { 'model.onnx': new Uint8Array(1) }, 'model.onnx', 'not a checkpoint'],
    ['a file that is not there', {}, 'model.npz', 'model.npz: not found'],
  ] as [string, Record<string, Uint8Array>, string | null, string][])('refuses %s', async (_, files, file, message) => {
    await expect(readCheckpoint(memoryDirectory(files), file)).rejects.toThrowError(message);
  });

  it("names a tensor that is missing in the source's own words", async () => {
    const tensors = new Map(readSafetensors(timm).tensors);
    tensors.delete('stages.1.blocks.1.norm2.bias');
    const directory = memoryDirectory({ 'model.safetensors': writeSafetensors(tensors) });
    await expect(readCheckpoint(directory, null)).rejects.toThrowError('"stages.1.blocks.1.norm2.bias" is missing');
  });

  it('refuses a ResNetV2 with batch norm or a deep stem', async () => {
    const tensors = readSafetensors(timm).tensors;
    const batchNorm = new Map([...tensors, ['norm.running_mean', float32Tensor([256], new Float32Array(256))]]);
    await expect(
      readCheckpoint(memoryDirectory({ 'model.safetensors': writeSafetensors(batchNorm) }), null),
    ).rejects.toThrowError('"norm.running_mean" is not part');
    const deep = new Map([...tensors].map(([name, tensor]) => [name.replace('stem.conv.', 'stem.conv1.'), tensor]));
    await expect(
      readCheckpoint(memoryDirectory({ 'model.safetensors': writeSafetensors(deep) }), null),
    ).rejects.toThrowError('deep stem');
  });
});
