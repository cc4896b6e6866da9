/**
 * A head as one file: safetensors with `weight` `[classes, dimensions]` and `bias` `[classes]`, and the rest in its metadata, so
 * that anything that reads safetensors reads it. Pure.
 */
import * as z from 'zod';
import {
  float32Tensor,
  readSafetensors,
  type SafetensorsTensor,
  tensorToFloat32,
  writeSafetensors,
} from '../../model-store/safetensors.ts';
import { ModelError } from '../errors.ts';
import { FEATURE_KINDS } from './math/features.ts';
import type { HeadModel } from './math/head-model.ts';

const METADATA_KEY = 'bit_edge_head';

const metadataSchema = z.strictObject({
  schema_version: z.literal(1),
  classes: z.array(z.string()).min(1),
  multi_label: z.boolean(),
  features: z.enum(FEATURE_KINDS),
  unknown: z.strictObject({ threshold: z.number(), slope: z.number() }).nullable(),
});

/** Writes a head; the same head is the same bytes. */
export function writeHead(head: HeadModel): Uint8Array {
  const { classes, dimensions, features, unknown } = head;
  const tensors: [string, SafetensorsTensor][] = [
    ['weight', float32Tensor([classes.length, dimensions], head.weight)],
    ['bias', float32Tensor([classes.length], head.bias)],
  ];
  if (features.mean !== null && features.deviation !== null) {
    tensors.push(['feature_mean', float32Tensor([dimensions], features.mean)]);
    tensors.push(['feature_deviation', float32Tensor([dimensions], features.deviation)]);
  }
  if (unknown !== null) tensors.push(['class_means', float32Tensor([classes.length, dimensions], unknown.means)]);
  const metadata: z.infer<typeof metadataSchema> = {
    schema_version: 1,
    classes: [...classes],
    multi_label: head.multiLabel,
    features: features.kind,
    unknown: unknown === null ? null : { threshold: unknown.threshold, slope: unknown.slope },
  };
  return writeSafetensors(new Map(tensors), { [METADATA_KEY]: JSON.stringify(metadata) });
}

/**
 * Reads a head.
 * @throws ModelError `model_corrupt`.
 */
export function readHead(bytes: Uint8Array, what: string): HeadModel {
  const { tensors, metadata } = readSafetensors(bytes, what);
  const about = metadataSchema.safeParse(parseJson(metadata[METADATA_KEY]));
  if (!about.success) throw corrupt(what, `metadata: ${about.error.issues[0]!.message}`);
  const { classes, multi_label: multiLabel, features, unknown } = about.data;
  const count = classes.length;
  const weight = tensor(tensors, 'weight', what);
  const dimensions = weight.length / count;
  const sized = (name: string, length: number): Float32Array => {
    const values = tensor(tensors, name, what);
    if (values.length === length) return values;
    throw corrupt(what, `"${name}" has ${values.length} values, not ${length}`);
  };
  if (!Number.isInteger(dimensions)) throw corrupt(what, `"weight" has ${weight.length} values for ${count} classes`);
  const standardized = features === 'standardize';
  return {
    classes,
    dimensions,
    multiLabel,
    features: {
      kind: features,
      mean: standardized ? sized('feature_mean', dimensions) : null,
      deviation: standardized ? sized('feature_deviation', dimensions) : null,
    },
    weight,
    bias: sized('bias', count),
    unknown: unknown === null ? null : { ...unknown, means: sized('class_means', count * dimensions) },
  };
}

function tensor(tensors: ReadonlyMap<string, SafetensorsTensor>, name: string, what: string): Float32Array {
  const found = tensors.get(name);
  if (found === undefined) throw corrupt(what, `there is no tensor "${name}"`);
  return tensorToFloat32(found);
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null') as unknown;
  } catch {
    return null;
  }
}

function corrupt(what: string, message: string): ModelError {
  return new ModelError('model_corrupt', `${what}: ${message}`);
}
