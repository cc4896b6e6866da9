import { describe, expect, it } from 'vitest';
import { makeDivisible, planStages, weightShapes } from '../../../model-store/bit-architecture.ts';
import { bitConfigToJson, functionToApply } from '../../../model-store/bit-config.ts';
import { parseBitConfig, readBitConfig } from '../../../model-store/read-bit-config.ts';

describe('parseBitConfig', () => {
  it("has Hugging Face's defaults where a field is absent", () => {
    expect(parseBitConfig({})).toEqual({
      numChannels: 3,
      embeddingSize: 64,
      hiddenSizes: [256, 512, 1024, 2048],
      depths: [3, 4, 6, 3],
      layerType: 'preactivation',
      hiddenAct: 'relu',
      globalPadding: null,
      numGroups: 32,
      embeddingDynamicPadding: false,
      outputStride: 32,
      widthFactor: 1,
      dropPathRate: 0,
      numLabels: 2,
      labels: ['LABEL_0', 'LABEL_1'],
      problemType: null,
      outFeatures: ['stage4'],
      outIndices: [4],
    });
  });

  it('reads the labels in the order of their indices', () => {
    expect(parseBitConfig({ id2label: { '1': 'dog', '0': 'cat', '2': 'cat' } }).labels).toEqual(['cat', 'dog', 'cat']);
    expect(parseBitConfig({ num_labels: 3 }).labels).toEqual(['LABEL_0', 'LABEL_1', 'LABEL_2']);
    expect(parseBitConfig({ id2label: {} }).numLabels).toBe(0);
    expect(parseBitConfig({ architectures: ['BitModel'], id2label: { '0': 'cat' } }).numLabels).toBe(0);
  });

  it("understands HF's other spellings", () => {
    expect(parseBitConfig({ global_padding: 'same' }).globalPadding).toBe('SAME');
    expect(parseBitConfig({ hidden_act: 'swish' }).hiddenAct).toBe('silu');
    expect(parseBitConfig({ out_indices: [-2, -1] })).toMatchObject({
      outIndices: [3, 4],
      outFeatures: ['stage3', 'stage4'],
    });
    expect(parseBitConfig({ out_features: ['stem', 'stage2'] }).outIndices).toEqual([0, 2]);
  });

  it('reads every config that a BiT on the hub has, as transformers of each time wrote it', () => {
    const labels = { id2label: { '0': 'cat', '1': 'dog' }, label2id: { cat: 0, dog: 1 } };
    const network = {
      architectures: ['BitForImageClassification'],
      depths: [3, 4, 6, 3],
      drop_path_rate: 0.0,
      embedding_dynamic_padding: false,
      embedding_size: 64,
      global_padding: null,
      hidden_act: 'relu',
      hidden_sizes: [256, 512, 1024, 2048],
      layer_type: 'preactivation',
      model_type: 'bit',
      num_channels: 3,
      num_groups: 32,
      output_stride: 32,
      stage_names: ['stem', 'stage1', 'stage2', 'stage3', 'stage4'],
      width_factor: 1,
      ...labels,
    };
    const configs = {
      '4.26': {
        ...network,
        conv_layer: 'std_conv',
        out_features: null,
        torch_dtype: 'float32',
        transformers_version: '4.26.0.dev0',
      },
      '4.31': {
        ...network,
        conv_layer: 'std_conv',
        out_features: ['stage4'],
        out_indices: [4],
        _name_or_path: 'google/bit-50',
        problem_type: 'single_label_classification',
        torch_dtype: 'float32',
        transformers_version: '4.31.0',
      },
      '4.41': {
        ...network,
        conv_layer: 'std_conv',
        _name_or_path: 'google/bit-50',
        out_features: ['stage4'],
        out_indices: [4],
        problem_type: 'single_label_classification',
        torch_dtype: 'float32',
        transformers_version: '4.41.2',
      },
      '5.18': {
        ...network,
        conv_layer: 'std_conv',
        dtype: 'float32',
        out_features: ['stage4'],
        out_indices: [4],
        transformers_version: '5.18.0',
      },
    };
    for (const [version, json] of Object.entries(configs)) {
      const { config, warnings } = readBitConfig(json);
      expect(warnings, version).toEqual([]);
      expect({ ...config, problemType: null }, version).toEqual(parseBitConfig({ architectures: null, ...labels }));
    }
  });

  it('keeps what cannot change the numbers as a warning', () => {
    const { config, warnings } = readBitConfig({
      auto_map: { AutoModel: 'model.MyBit' },
      quantization_config: null,
      gradient_checkpointing: true,
      architectures: ['MyBitForImageClassification'],
      trained_by: 'me',
    });
    expect(config).toEqual(parseBitConfig({}));
    expect(warnings).toEqual([
      'config.json: auto_map: names code of its own, which is not run; read as a BiT of transformers',
      'config.json: trained_by: no field of BitConfig; ignored, as transformers ignores it',
      'config.json: architectures: MyBitForImageClassification is read as a BiT of transformers',
    ]);
    // The field that a misspelt one would mean is there: nothing is lost.
    expect(readBitConfig({ hidden_sizes: [256, 512, 1024, 2048], hidden_size: 2048 }).warnings).toHaveLength(1);
  });

  it('reads conv_layer as transformers does, not at all, and says where that may surprise', () => {
    expect(readBitConfig({ conv_layer: 'std_conv' })).toEqual({ config: parseBitConfig({}), warnings: [] });
    expect(readBitConfig({ conv_layer: 'std_conv_same', global_padding: 'same' }).warnings).toEqual([]);
    const same = readBitConfig({ conv_layer: 'std_conv_same' });
    expect(same.config.globalPadding).toBeNull();
    expect(same.warnings[0]).toContain('global_padding decides');
  });

  it('fills gaps in id2label, and writes values that are no strings as such', () => {
    const gap = readBitConfig({ id2label: { '0': 'cat', '2': 7 } });
    expect(gap.config.labels).toEqual(['cat', 'LABEL_1']);
    const trained = readBitConfig({ id2label: { '0': 'cat', '2': 7 } }, 'config.json', 3);
    expect(trained.config.labels).toEqual(['cat', 'LABEL_1', '7']);
    expect(trained.warnings).toEqual(['config.json: id2label has no name for 1 of 3 labels: LABEL_1']);
    const more = readBitConfig({ num_labels: 3, id2label: { '0': 'a' } });
    expect(more.config.numLabels).toBe(1);
    expect(more.warnings).toEqual(['config.json: num_labels 3 is ignored: id2label has 1 entries']);
  });

  it('has a classifier where an unknown class of architectures has weights for one', () => {
    const json = { architectures: ['MyBit'], num_labels: 5 };
    expect(readBitConfig(json, 'config.json', 5).config.numLabels).toBe(5);
    expect(readBitConfig(json, 'config.json', 0).config.numLabels).toBe(0);
    expect(readBitConfig({ ...json, architectures: ['BitModel'] }, 'config.json', 0).config.numLabels).toBe(0);
  });

  // What transformers 5.18's pipeline applies.
  it.each([
    ['softmax', {}],
    ['softmax', { problem_type: 'single_label_classification' }],
    ['softmax', { problem_type: 'regression', num_labels: 3 }],
    ['sigmoid', { problem_type: 'multi_label_classification', num_labels: 3 }],
    ['sigmoid', { num_labels: 1 }],
    ['sigmoid', { num_labels: 1, problem_type: 'regression' }],
    ['none', { num_labels: 0 }],
  ])('makes scores by %s of %j', (expected, json) => {
    expect(functionToApply(parseBitConfig(json))).toBe(expected);
  });

  it('ignores the fields of every HF config that do not reach the network', () => {
    const common = { model_type: 'bit', torch_dtype: 'float16', transformers_version: '4.26.0', _commit_hash: 'x' };
    expect(parseBitConfig({ ...common, architectures: null, label2id: { a: 0 } })).toEqual(parseBitConfig({}));
  });

  it.each([
    ['model_type', { model_type: 'vit' }],
    ['num_group', { num_group: 8 }],
    ['num_channels', { num_channels: 0 }],
    ['hidden_sizes.1', { hidden_sizes: [64, 1.5] }],
    ['hidden_act', { hidden_act: 'mish' }],
    ['layer_type', { layer_type: 'basic' }],
    ['global_padding', { global_padding: 'REFLECT' }],
    ['output_stride', { output_stride: '32' }],
    ['drop_path_rate', { drop_path_rate: -0.1 }],
    ['embedding_dynamic_padding', { embedding_dynamic_padding: 1 }],
    ['depths', { depths: [3, 4, 6] }],
    ['num_groups', { num_groups: 24 }],
    ['width_factor', { width_factor: 2 }],
    ['width_factor', { width_factor: 2, layer_type: 'bottleneck' }],
    ['hidden_sizes', { hidden_sizes: [256, 512, 1024, 2050], num_groups: 8 }],
    ['id2label', { id2label: { zero: 'a' } }],
    ['id2label', { id2label: ['a', 'b'] }],
    ['problem_type', { problem_type: 'multi_label' }],
    ['conv_layer', { conv_layer: 'conv' }],
    ['conv_layer', { conv_layer: false }],
    ['quantization_config', { quantization_config: { bits: 8 } }],
    ['hidden_size', { hidden_size: [256, 512] }],
    ['Layer_type', { Layer_type: 'bottleneck' }],
    ['stage_names', { stage_names: ['stem', 'stage1'] }],
    ['out_features', { out_features: ['stage5'] }],
    ['out_features', { out_features: ['stage2', 'stage1'] }],
    ['out_indices', { out_indices: [5] }],
    ['out_indices', { out_indices: [1, 1] }],
    ['out_indices', { out_indices: [1], out_features: ['stage2'] }],
  ])('refuses a wrong %s, naming it', (field, json) => {
    expect(() => parseBitConfig(json, 'config.json')).toThrowError(
      expect.objectContaining({
        code: 'invalid_model_config',
        message: expect.stringMatching(new RegExp(`^config\\.json: ${field}: `)),
      }),
    );
  });

  it.each([null, 3, 'bit', []])('refuses %j, which is no object', (json) => {
    expect(() => parseBitConfig(json)).toThrowError(expect.objectContaining({ code: 'invalid_model_config' }));
  });

  it('accepts a width factor where HF can run it: no final norm, no classifier', () => {
    const config = parseBitConfig({ width_factor: 2, layer_type: 'bottleneck', num_labels: 0 });
    expect(planStages(config).map((stage) => stage.outChannels)).toEqual([512, 1024, 2048, 4096]);
  });

  it('comes back from its own JSON', () => {
    const config = parseBitConfig({ hidden_act: 'gelu', global_padding: 'VALID', num_labels: 3, out_indices: [0, -1] });
    expect(parseBitConfig(JSON.parse(JSON.stringify(bitConfigToJson(config))))).toEqual(config);
  });
});

describe('planStages', () => {
  it.each([
    [32, [1, 2, 2, 2], [1, 1, 1, 1]],
    [16, [1, 2, 2, 1], [1, 1, 1, 2]],
    [8, [1, 2, 1, 1], [1, 1, 2, 4]],
    [4, [1, 1, 1, 1], [1, 2, 4, 8]],
  ])('dilates beyond an output stride of %d', (outputStride, strides, dilations) => {
    const stages = planStages(parseBitConfig({ output_stride: outputStride }));
    expect(stages.map((stage) => stage.stride)).toEqual(strides);
    expect(stages.map((stage) => stage.dilation)).toEqual(dilations);
  });

  it.each([
    [3, 8],
    [12, 16],
    [11, 16],
    [19, 24],
    [20, 24],
    [64, 64],
    [100, 104],
  ])('rounds %d channels to %d, as make_div does', (channels, expected) => {
    expect(makeDivisible(channels)).toBe(expected);
  });
});

describe('weightShapes', () => {
  it('counts the parameters of R50x1 with 1000 labels', () => {
    const shapes = weightShapes(parseBitConfig({ num_labels: 1000 }));
    let parameters = 0;
    for (const shape of shapes.values()) parameters += shape.reduce((product, size) => product * size, 1);
    expect(parameters).toBe(25_549_352);
  });
});
