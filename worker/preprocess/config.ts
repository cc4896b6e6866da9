/**
 * `preprocessor_config.json` of a BiT checkpoint, read the way Hugging Face's `BitImageProcessorPil` reads it:
 * an absent field takes the class default, null is Python's None (a null flag is off, a null value is missing), a number
 * becomes a size, unknown fields are ignored.
 *
 * Source: transformers 5.18, `models/bit/image_processing_pil_bit.py`, `image_processing_utils.py` (`get_size_dict`).
 */
import { ModelError } from '../errors.ts';

/** PIL's filters by number: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming. */
export type Resample = 0 | 1 | 2 | 3 | 4 | 5;

/** A height and a width in px. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** What a picture is resized to; edges in px. */
export type ResizeTarget =
  | { readonly kind: 'shortest_edge'; readonly shortestEdge: number }
  | { readonly kind: 'edges'; readonly shortestEdge: number; readonly longestEdge: number }
  | { readonly kind: 'within'; readonly maxHeight: number; readonly maxWidth: number }
  | { readonly kind: 'exact'; readonly height: number; readonly width: number };

/** One value for each of R, G, B. */
export type PerChannel = readonly [number, number, number];

/** The processor's settings; a step that is null is off. */
export interface ProcessorConfig {
  readonly doConvertRgb: boolean;
  readonly resize: { readonly target: ResizeTarget; readonly resample: Resample } | null;
  readonly centerCrop: Size | null;
  readonly rescaleFactor: number | null;
  readonly normalize: { readonly mean: PerChannel; readonly std: PerChannel } | null;
  /** Zeros added at the right and the bottom after normalising, up to this size. */
  readonly pad: Size | null;
}

type Fields = Readonly<Record<string, unknown>>;

const CLASS_DEFAULTS: Fields = {
  do_convert_rgb: true,
  do_resize: true,
  size: { shortest_edge: 224 },
  default_to_square: false,
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  do_pad: false,
};

/** The sets of keys that `get_size_dict` lets through; not every one of them can be resized to. */
const SIZE_KEYS = [
  'height,width',
  'shortest_edge',
  'longest_edge,shortest_edge',
  'longest_edge',
  'max_height,max_width',
  'max_pixels,min_pixels',
];

function invalid(field: string, expected: string, got: unknown): ModelError {
  const shown = JSON.stringify(got) ?? String(got);
  const message = `preprocessor config: ${field} must be ${expected}, got ${shown.slice(0, 80)}`;
  return new ModelError('invalid_model_config', message, { details: { field } });
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function edge(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw invalid(field, 'a positive whole number of pixels', value);
  }
  return value;
}

/** `get_size_dict`: a number or a pair becomes a dictionary; the keys must be one of the known sets. */
function sizeFields(value: unknown, field: string, square: boolean): Fields {
  if (typeof value === 'number') return square ? { height: value, width: value } : { shortest_edge: value };
  if (Array.isArray(value)) {
    if (value.length < 2) throw invalid(field, 'a pair [height, width]', value);
    return { height: value[0], width: value[1] };
  }
  if (!isRecord(value)) throw invalid(field, 'a number, a pair or an object', value);
  if (!SIZE_KEYS.includes(Object.keys(value).sort().join(','))) {
    throw invalid(field, `an object with the keys ${SIZE_KEYS.join(' | ')}`, value);
  }
  return value;
}

function heightAndWidth(value: unknown, field: string): Size {
  const fields = sizeFields(value, field, true);
  if (!('height' in fields)) throw invalid(field, 'a number, a pair or {height, width}', value);
  return { height: edge(fields.height, `${field}.height`), width: edge(fields.width, `${field}.width`) };
}

function resizeTarget(value: unknown, square: boolean): ResizeTarget {
  const fields = sizeFields(value, 'size', square);
  if ('shortest_edge' in fields) {
    const shortestEdge = edge(fields.shortest_edge, 'size.shortest_edge');
    const longest = fields.longest_edge ?? null;
    if (longest === null) return { kind: 'shortest_edge', shortestEdge };
    return { kind: 'edges', shortestEdge, longestEdge: edge(longest, 'size.longest_edge') };
  }
  if ('max_height' in fields) {
    const maxHeight = edge(fields.max_height, 'size.max_height');
    return { kind: 'within', maxHeight, maxWidth: edge(fields.max_width, 'size.max_width') };
  }
  if ('height' in fields) {
    const height = edge(fields.height, 'size.height');
    return { kind: 'exact', height, width: edge(fields.width, 'size.width') };
  }
  throw invalid(
    'size',
    '{shortest_edge}, {shortest_edge, longest_edge}, {height, width} or {max_height, max_width}',
    value,
  );
}

function perChannel(value: unknown, field: string, nonZero: boolean): PerChannel {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value, value, value];
  const [red, green, blue] = list;
  const ok = (x: unknown): x is number => typeof x === 'number' && Number.isFinite(x) && !(nonZero && x === 0);
  if (list.length !== 3 || !ok(red) || !ok(green) || !ok(blue)) {
    throw invalid(field, `a ${nonZero ? 'non-zero ' : ''}number or a list of 3 of them`, value);
  }
  return [red, green, blue];
}

function isResample(value: unknown): value is Resample {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 5;
}

/**
 * Reads a parsed `preprocessor_config.json` (or a `processor_config.json` that holds it under `image_processor`).
 *
 * A field of a step that is switched off is not checked, as in the reference. Throws `ModelError`
 * `invalid_model_config`; the message and `details.field` name the field.
 */
export function parseProcessorConfig(json: unknown): ProcessorConfig {
  if (!isRecord(json)) throw invalid('the document', 'an object', json);
  const fields = isRecord(json.image_processor) ? json.image_processor : json;
  const get = (name: string): unknown => (Object.hasOwn(fields, name) ? fields[name] : CLASS_DEFAULTS[name]) ?? null;
  const flag = (name: string): boolean => {
    const value = get(name) ?? false;
    if (typeof value !== 'boolean') throw invalid(name, 'true or false', value);
    return value;
  };

  const doConvertRgb = flag('do_convert_rgb');
  let resize: ProcessorConfig['resize'] = null;
  if (flag('do_resize')) {
    const resample = get('resample');
    if (!isResample(resample)) throw invalid('resample', 'a PIL filter number from 0 to 5', resample);
    resize = { target: resizeTarget(get('size'), flag('default_to_square')), resample };
  }
  const centerCrop = flag('do_center_crop') ? heightAndWidth(get('crop_size'), 'crop_size') : null;
  let rescaleFactor: number | null = null;
  if (flag('do_rescale')) {
    const factor = get('rescale_factor');
    if (typeof factor !== 'number' || !Number.isFinite(factor)) throw invalid('rescale_factor', 'a number', factor);
    rescaleFactor = factor;
  }
  const normalize = flag('do_normalize')
    ? {
        mean: perChannel(get('image_mean'), 'image_mean', false),
        std: perChannel(get('image_std'), 'image_std', true),
      }
    : null;
  const pad = flag('do_pad') ? heightAndWidth(get('pad_size'), 'pad_size') : null;
  return { doConvertRgb, resize, centerCrop, rescaleFactor, normalize, pad };
}
