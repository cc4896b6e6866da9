/** Inference on tensors: rows of `pixel_values`, or encoded images, through the model one by one, their outputs stacked. */

import type { Context } from 'hono';
import { RequestError } from '../../errors.ts';
import { backboneOf, backboneOutputs, withHeadLogits } from '../../heads/head-classifier.ts';
import { headLabels } from '../../heads/math/head-model.ts';
import { detectFormat } from '../../imaging/format.ts';
import type { ModelReference } from '../../inference/classifier.ts';
import { float32Output } from '../../inference/float32-output.ts';
import type { Tensor as GraphTensor } from '../../inference/inference-session.ts';
import type { Lease } from '../../inference/memory-budget.ts';
import type { LoadedModel } from '../../inference/model-loader.ts';
import { classCount, classifyRows } from '../../oip/classification.ts';
import type { Tensor } from '../../oip/datatypes.ts';
import { type InferRequest, wantsBinary } from '../../oip/infer-request.ts';
import type { AppEnvironment } from '../../services.ts';
import { decodeBase64 } from './request-body.ts';

/** Name of the input that takes encoded images: BYTES `[N]`. */
export const IMAGE_INPUT = 'image';

/** Longest edge of `pixel_values` where the graph leaves its size free, in px: what a row takes grows with its square. */
const MAX_FREE_EDGE_PX = 512;

/** Largest answer, in bytes of its text or binary data. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Bytes of a float32 in JSON, as text (`-1.2345678806304932,`) and in the pieces it is joined from; and as binary. */
const JSON_BYTES_PER_FLOAT = 40;
const BINARY_BYTES_PER_FLOAT = 4;

type Row = { readonly pixelValues: GraphTensor } | { readonly image: Uint8Array };

/** The stacked outputs; `lease` is the memory of the answer, released when it is written. */
export interface TensorAnswer {
  readonly model: { readonly name: string; readonly version: string };
  readonly outputs: readonly Tensor[];
  readonly lease: Lease;
}

/**
 * Runs a request's rows, all by one version.
 * @throws RequestError `invalid_body` naming the tensor, `too_many_images`; ImageError, ModelError, RuntimeError.
 */
export async function inferTensors(
  c: Context<AppEnvironment>,
  request: InferRequest,
  asked: ModelReference,
): Promise<TensorAnswer> {
  const { host, heads, classifier, budget, config } = c.var.services;
  const waitUntil = (promise: Promise<unknown>) => c.executionCtx.waitUntil(promise);
  const found = await heads.library.find(asked);
  const network = found === null ? asked : backboneOf(found);
  const first = await host.get(network.name, network.reference, waitUntil);
  const { name } = asked;
  const pinned = { ...asked, reference: found?.version.version ?? first.manifest.version };
  const names = outputNames(request, first);
  for (const output of names) classCount(request, output);
  const rows = readRows(request, first, config.maxImagesPerRequest);
  c.var.record.model = { name, version: pinned.reference };
  let lease: Lease | null = null;
  try {
    const results: ReadonlyMap<string, GraphTensor>[] = [];
    for (const row of rows) {
      if ('image' in row) {
        const options = { exact: false, signal: c.req.raw.signal };
        results.push((await classifier.infer(row.image, pinned, names, options, waitUntil)).outputs);
      } else {
        const model = await host.get(network.name, first.manifest.version, waitUntil);
        const head = found === null ? null : await heads.library.load(found);
        const outputs = host.run(model, row.pixelValues, head === null ? names : backboneOutputs(names));
        results.push(head === null ? outputs : withHeadLogits(head, outputs));
      }
      // The first row tells how large the answer will be: shapes may be free in the graph.
      lease ??= await budget.acquire(answerBytes(request, results[0]!, rows.length), 'the answer');
    }
    const labels = found === null ? first.labels : headLabels(await heads.library.load(found));
    return {
      model: { name, version: pinned.reference },
      outputs: names.map((output) => {
        const tensor = stack(output, results);
        const classes = classCount(request, output);
        if (classes === 0) return tensor;
        return classifyRows(output, tensor.shape, tensor.data, classes, output === 'logits' ? labels : []);
      }),
      lease: lease!,
    };
  } catch (error) {
    lease?.release();
    throw error;
  }
}

function outputNames(request: InferRequest, model: LoadedModel): string[] {
  const have = model.variant.outputs.map((output) => output.name);
  const names = request.outputs?.map((output) => output.name) ?? have;
  const unknown = names.find((name) => !have.includes(name));
  if (unknown !== undefined) {
    throw new RequestError('invalid_body', `output "${unknown.slice(0, 80)}" is unknown; outputs: ${have.join(', ')}`);
  }
  return names.length === 0 ? have : names;
}

function readRows(request: InferRequest, model: LoadedModel, maxRows: number): Row[] {
  const known = [model.input.name, IMAGE_INPUT];
  const [input, second] = request.inputs;
  if (input === undefined || second !== undefined || !known.includes(input.name)) {
    const given = request.inputs.map(({ name }) => name.slice(0, 80)).join(', ');
    throw new RequestError('invalid_body', `inputs are ${given}; send one of ${known.join(', ')}`);
  }
  const count = input.shape[0] ?? 0;
  if (count > maxRows) {
    throw new RequestError('too_many_images', `input "${input.name}" has ${count} rows; limit ${maxRows}`, {
      details: { images: count, limit: maxRows },
    });
  }
  return input.name === IMAGE_INPUT ? imageRows(input) : pixelRows(input, model);
}

function imageRows(input: Tensor): Row[] {
  const { shape } = input;
  const isColumn = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  if (input.datatype !== 'BYTES' || !isColumn || shape[0] === 0) {
    throw new RequestError('invalid_body', `input "image" is ${input.datatype} [${shape}]; send BYTES [N]`);
  }
  return input.data.map((bytes) => ({ image: isImage(bytes) ? bytes : fromText(bytes) }));
}

function isImage(bytes: Uint8Array): boolean {
  try {
    detectFormat(bytes);
    return true;
  } catch {
    return false;
  }
}

/** JSON cannot carry encoded images but as base64. What is neither is left as it is: decoding will say what is wrong. */
function fromText(bytes: Uint8Array): Uint8Array {
  try {
    return decodeBase64(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), IMAGE_INPUT);
  } catch {
    return bytes;
  }
}

function pixelRows(input: Tensor, model: LoadedModel): Row[] {
  const { shape } = input;
  const expected = model.input.shape;
  const fits =
    shape.length === expected.length &&
    shape.every((dimension, axis) => {
      const wanted = expected[axis]!;
      if (axis === 0) return dimension > 0;
      return typeof wanted === 'number' ? dimension === wanted : dimension > 0 && dimension <= MAX_FREE_EDGE_PX;
    });
  if (input.datatype !== 'FP32' || !fits) {
    const wanted = expected.map((each) => (typeof each === 'number' ? each : -1)).join(',');
    throw new RequestError(
      'invalid_body',
      `input "${input.name}" is ${input.datatype} [${shape}]; the model takes FP32 [${wanted}]`,
      { details: { input: input.name, shape } },
    );
  }
  const row = shape.slice(1).reduce((product, size) => product * size, 1);
  return Array.from({ length: shape[0]! }, (_, index) => {
    const data = input.data.subarray(index * row, (index + 1) * row);
    return { pixelValues: { type: 'float32', shape: [1, ...shape.slice(1)], data } };
  });
}

function answerBytes(request: InferRequest, row: ReadonlyMap<string, GraphTensor>, rows: number): number {
  let bytes = 0;
  for (const [name, { data }] of row) {
    bytes += rows * data.length * (wantsBinary(request, name) ? BINARY_BYTES_PER_FLOAT : JSON_BYTES_PER_FLOAT);
  }
  if (bytes <= MAX_ANSWER_BYTES) return bytes;
  throw new RequestError(
    'too_many_images',
    `the answer would take ${bytes} bytes; limit ${MAX_ANSWER_BYTES}: send fewer rows, name fewer outputs, or ask for binary_data`,
    { details: { images: rows, bytes, limit_bytes: MAX_ANSWER_BYTES } },
  );
}

function stack(name: string, rows: readonly ReadonlyMap<string, GraphTensor>[]): Extract<Tensor, { datatype: 'FP32' }> {
  const parts = rows.map((row) => float32Output(row, name));
  const { shape, data } = parts[0]!;
  const all = new Float32Array(parts.length * data.length);
  for (const [index, part] of parts.entries()) all.set(part.data, index * data.length);
  return { name, datatype: 'FP32', shape: [parts.length, ...shape.slice(1)], data: all };
}
