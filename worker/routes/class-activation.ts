/** `POST /v1/class-activation`: images in; where in them the evidence for a label is. */

import { modelFileKey } from '../../model-store/layout.ts';
import { readVerified, whileReading } from '../../model-store/load.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import { readClassifierRow } from '../../model-store/onnx/classifier-weights.ts';
import { decodeOnnxGraph } from '../../model-store/onnx/decode.ts';
import type { OnnxTensorReference } from '../../model-store/onnx/onnx-model.ts';
import { ModelError, RequestError } from '../errors.ts';
import { type EncodedFloats, encodeFloats } from '../float-encoding.ts';
import { classActivationMap } from '../inference/class-activation.ts';
import { float32Output } from '../inference/float32-output.ts';
import type { Services } from '../services.ts';
import { imageTaskRoute, type TaskAnswer } from './support/image-task.ts';
import { type ClassActivationParameters, classActivationParametersSchema } from './support/parameters.ts';

/** Group norms of a config that does not say (BitConfig's default). */
const DEFAULT_GROUPS = 32;

/** Largest ONNX file that is read for its classifier, without its external weights. */
const MAX_GRAPH_BYTES = 8 * 1024 * 1024;

const OUTPUTS = ['logits', 'pooler_output', 'last_hidden_state'];

interface ClassActivationAnswer extends TaskAnswer {
  readonly label: string;
  readonly index: number;
  /** bias + mean of the map. */
  readonly logit: number;
  readonly bias: number;
  /** `[height, width]`. */
  readonly map: { readonly shape: readonly number[]; readonly data: EncodedFloats };
}

/** The route. */
export const classActivationRoute = imageTaskRoute<ClassActivationParameters, ClassActivationAnswer>({
  path: '/v1/class-activation',
  name: 'class-activation',
  scope: 'classify',
  parameters: classActivationParametersSchema,
  cacheKey: ({ index, encoding, exact }) => ({ index: index ?? 'best', encoding, exact }),
  async compute(c, image, reference, { index: asked, encoding, exact }) {
    const { classifier, heads } = c.var.services;
    if ((await heads.library.find(reference)) !== null) {
      throw new ModelError(
        'unsupported_output',
        `"${reference.name}" is a head; class activation is of a model's own labels`,
      );
    }
    const options = { exact, signal: c.req.raw.signal };
    const inference = await classifier.infer(image, reference, OUTPUTS, options, (promise) =>
      c.executionCtx.waitUntil(promise),
    );
    const { manifest, labels } = inference.model;
    const output = (name: string) => float32Output(inference.outputs, name);
    const logits = output('logits').data;
    const index = asked ?? logits.indexOf(logits.reduce((most, value) => Math.max(most, value)));
    const logit = logits[index];
    if (logit === undefined) {
      throw new RequestError('invalid_parameter', `"index" is ${index}; the model has ${labels.length} labels`, {
        details: { parameter: 'index' },
      });
    }
    const row = await readRow(c.var.services, manifest, index);
    const hidden = output('last_hidden_state');
    const { height, width, values } = classActivationMap(hidden, output('pooler_output'), row, logit);
    return {
      model: { name: manifest.name, version: manifest.version },
      label: labels[index]!,
      index,
      logit,
      bias: row.bias,
      map: { shape: [height, width], data: encodeFloats(values, encoding) },
      image: inference.image,
      timing: inference.timing,
    };
  },
});

/** A label's classifier weights, of the variant that workers load. @throws ModelError. */
async function readRow({ models }: Pick<Services, 'models'>, manifest: Manifest, label: number) {
  const { model, weights } = manifest.variants[manifest.default_variant]!;
  if (model.bytes > MAX_GRAPH_BYTES) {
    throw new ModelError(
      'unsupported_output',
      `the graph has ${model.bytes} bytes with its weights in it; limit ${MAX_GRAPH_BYTES}`,
    );
  }
  const graph = decodeOnnxGraph(await readVerified(models, manifest, model));
  const groups = typeof manifest.config.num_groups === 'number' ? manifest.config.num_groups : DEFAULT_GROUPS;
  return readClassifierRow(graph, label, groups, async (tensor, offset, bytes) => {
    if (tensor.external === null) return streamOf(tensor.data.subarray(offset, offset + bytes));
    return readExternal(
      models,
      modelFileKey(manifest.name, manifest.version, weights?.path ?? ''),
      tensor,
      offset,
      bytes,
    );
  });
}

async function readExternal(
  models: Services['models'],
  key: string,
  { external }: OnnxTensorReference,
  offset: number,
  length: number,
): Promise<ReadableStream<Uint8Array>> {
  const range = { offset: external!.offset + offset, length };
  const object = await whileReading(key, () => models.get(key, range));
  if (object === null) throw new ModelError('model_corrupt', `${key} is missing`);
  return object.body;
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
