/**
 * A processor's options (in the names of HF's `BitImageProcessor`) for checkpoints that come without them. Pure, no I/O.
 */
import * as z from 'zod';
import { ModelError } from '../../worker/errors.ts';

/** `preprocessor_config.json`, parsed. */
export type PreprocessorJson = Readonly<Record<string, z.core.util.JSONType>>;

/** Pillow's numbers of timm's interpolations. */
const RESAMPLE: Readonly<Record<string, number>> = {
  nearest: 0,
  lanczos: 1,
  bilinear: 2,
  bicubic: 3,
  box: 4,
  hamming: 5,
};

const timmSchema = z.looseObject({
  input_size: z.tuple([z.int(), z.int().min(1), z.int().min(1)]),
  interpolation: z.enum(['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']).default('bilinear'),
  crop_pct: z.number().positive().max(1).default(0.875),
  crop_mode: z.enum(['center', 'squash']).default('center'),
  mean: z.array(z.number()).min(1).max(4).default([0.5, 0.5, 0.5]),
  std: z.array(z.number()).min(1).max(4).default([0.5, 0.5, 0.5]),
});

/**
 * The options of timm's evaluation transform (`create_transform` of `pretrained_cfg`): the shortest edge is the input size
 * over `crop_pct`, rounded down. Null where the config has none.
 * @throws ModelError `invalid_model_config` naming the field.
 */
export function timmPreprocessor(json: unknown): PreprocessorJson | null {
  if (typeof json !== 'object' || json === null || !('pretrained_cfg' in json)) return null;
  const parsed = timmSchema.safeParse(json.pretrained_cfg);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = ['pretrained_cfg', ...issue.path.map(String)].join('.');
    throw new ModelError('invalid_model_config', `config.json: ${field}: ${issue.message}`, { details: { field } });
  }
  const { input_size: size, interpolation, crop_pct: cropPct, crop_mode: cropMode, mean, std } = parsed.data;
  const [, height, width] = size;
  const scaled = { height: Math.floor(height / cropPct), width: Math.floor(width / cropPct) };
  const isSquare = height === width && cropMode === 'center';
  return {
    ...common(height, width, RESAMPLE[interpolation]!),
    size: isSquare ? { shortest_edge: scaled.height } : scaled,
    image_mean: mean,
    image_std: std,
  };
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
