/**
 * A processor's options, in the names of HF's `BitImageProcessor`, as checkpoints come with them or without. Pure, no I/O.
 */
import * as z from 'zod';
import { ModelError } from '../../../worker/errors.ts';
import type { Origin } from './provenance.ts';

/** `preprocessor_config.json`, parsed. */
export type PreprocessorJson = Readonly<Record<string, z.core.util.JSONType>>;

/** A processor and where its options came from. */
export interface FoundPreprocessor {
  readonly preprocessor: PreprocessorJson;
  /** A file, or the format's own default. */
  readonly source: string;
  readonly origins: readonly Origin[];
}

/** The options that decide about pixel values. */
const FIELDS = ['size', 'resample', 'crop_size', 'rescale_factor', 'image_mean', 'image_std'];

/** Pillow's numbers of timm's interpolations. */
const RESAMPLE: Readonly<Record<string, number>> = {
  nearest: 0,
  lanczos: 1,
  bilinear: 2,
  bicubic: 3,
  box: 4,
  hamming: 5,
};

/** What `ViTImageProcessor` has where `BitImageProcessor` has something else: squares, and no crop. */
const VIT_DEFAULTS: PreprocessorJson = {
  do_center_crop: false,
  default_to_square: true,
  size: { height: 224, width: 224 },
  resample: 2,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};

/** Classes whose options mean what they mean to `BitImageProcessor`, with the defaults in which they differ. */
const CLASSES: readonly (readonly [RegExp, PreprocessorJson])[] = [
  [/^(Bit|CLIP)(ImageProcessor|FeatureExtractor)\w*$/, {}],
  [/^ViT(ImageProcessor|FeatureExtractor)\w*$/, VIT_DEFAULTS],
];

/** What timm's own BiT configs (`resnetv2.py`, `_cfg`) have where a config is silent. */
const timmSchema = z.looseObject({
  input_size: z.tuple([z.int(), z.int().min(1), z.int().min(1)]).default([3, 224, 224]),
  interpolation: z.enum(['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']).default('bilinear'),
  crop_pct: z.number().positive().max(1).default(0.875),
  crop_mode: z.enum(['center', 'squash']).default('center'),
  mean: z.array(z.number()).min(1).max(4).default([0.5, 0.5, 0.5]),
  std: z.array(z.number()).min(1).max(4).default([0.5, 0.5, 0.5]),
});

/**
 * The options in HF's file, of any class whose options `BitImageProcessor` has too; older names of the class included.
 * @param json `preprocessor_config.json` or `processor_config.json`, parsed.
 * @throws ModelError `invalid_model_config` where it is the file of a class that makes other pixels.
 */
export function huggingFacePreprocessor(json: unknown, file: string): FoundPreprocessor {
  if (!isRecord(json)) throw invalid(file, 'the file', 'not an object');
  const given = isRecord(json.image_processor) ? json.image_processor : json;
  const name = given.image_processor_type ?? given.feature_extractor_type ?? 'BitImageProcessor';
  const known = CLASSES.find(([pattern]) => typeof name === 'string' && pattern.test(name));
  if (known === undefined) {
    throw invalid(
      file,
      'image_processor_type',
      `${JSON.stringify(name)} makes other pixels than BitImageProcessor; supported: Bit, CLIP and ViT; --preprocessor says otherwise`,
    );
  }
  const defaults = known[1];
  const isOther = Object.keys(defaults).length > 0;
  const preprocessor: PreprocessorJson = {
    ...defaults,
    ...given,
    ...(isOther ? { image_processor_type: 'BitImageProcessor' } : {}),
  };
  const origins = FIELDS.map((field) => ({
    field,
    value: JSON.stringify(preprocessor[field] ?? defaultPreprocessor('huggingface')[field]),
    from: field in given ? file : `default of ${name}`,
    assumed: false,
  }));
  return { preprocessor, source: file, origins };
}

/**
 * The options of timm's evaluation transform (`create_transform` of `pretrained_cfg`, or of the flat config.json that timm
 * wrote before 0.9): the shortest edge is the input size over `crop_pct`, rounded down. Null where the config has none.
 * @throws ModelError `invalid_model_config` naming the field.
 */
export function timmPreprocessor(json: unknown): FoundPreprocessor | null {
  if (!isRecord(json)) return null;
  const isFlat = !('pretrained_cfg' in json);
  if (isFlat && !('input_size' in json)) return null;
  const given = isFlat ? json : json.pretrained_cfg;
  const parsed = timmSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = [...(isFlat ? [] : ['pretrained_cfg']), ...issue.path.map(String)].join('.');
    throw invalid('config.json', field, issue.message);
  }
  const { input_size: size, interpolation, crop_pct: cropPct, crop_mode: cropMode, mean, std } = parsed.data;
  const [, height, width] = size;
  const scaled = { height: Math.floor(height / cropPct), width: Math.floor(width / cropPct) };
  const isSquare = height === width && cropMode === 'center';
  const preprocessor = {
    ...common(height, width, RESAMPLE[interpolation]!),
    size: isSquare ? { shortest_edge: scaled.height } : scaled,
    image_mean: mean,
    image_std: std,
  };
  const source = isFlat ? 'config.json' : 'config.json (pretrained_cfg)';
  const names = { input_size: size, crop_pct: cropPct, interpolation, mean, std };
  const origins = Object.entries(names).map(([field, value]) => {
    const assumed = !(isRecord(given) && field in given);
    const from = assumed ? `not in ${source}: as in timm's own BiT configs` : source;
    return { field, value: JSON.stringify(value), from, assumed };
  });
  return { preprocessor, source, origins };
}

/** The options where nothing lies beside the weights. */
export function assumedPreprocessor(kind: 'huggingface' | 'timm' | 'google'): FoundPreprocessor {
  const source = `default of ${kind}`;
  const preprocessor = defaultPreprocessor(kind);
  const from = `the checkpoint says nothing about preprocessing: ${source}`;
  const origins = FIELDS.map((field) => ({ field, value: JSON.stringify(preprocessor[field]), from, assumed: true }));
  return { preprocessor, source, origins };
}

/**
 * HF: the defaults of `BitImageProcessor`. Google and timm: what big_transfer feeds its networks, values from -1 to 1
 * (`bit_pytorch/train.py`: mean and deviation 0.5), with the usual 256/224 evaluation crop.
 */
export function defaultPreprocessor(kind: 'huggingface' | 'timm' | 'google'): PreprocessorJson {
  if (kind === 'huggingface') {
    return {
      ...common(224, 224, RESAMPLE.bicubic!),
      size: { shortest_edge: 224 },
      image_mean: [0.48145466, 0.4578275, 0.40821073],
      image_std: [0.26862954, 0.26130258, 0.27577711],
    };
  }
  return {
    ...common(224, 224, RESAMPLE.bilinear!),
    size: { shortest_edge: 256 },
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  };
}

function common(height: number, width: number, resample: number) {
  return {
    image_processor_type: 'BitImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    resample,
    do_center_crop: true,
    crop_size: { height, width },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
  };
}

function isRecord(value: unknown): value is Record<string, z.core.util.JSONType> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(file: string, field: string, problem: string): ModelError {
  return new ModelError('invalid_model_config', `${file}: ${field}: ${problem}`, { details: { file, field } });
}
