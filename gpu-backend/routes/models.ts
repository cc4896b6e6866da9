/** What the server and its models say about themselves. */
import { type Context, Hono } from 'hono';
import type { ModelMetadata, ServerMetadata } from '../../worker/oip/metadata.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { Registry } from '../registry.ts';
import type { ServedModel } from '../served-model.ts';

/** Name and version of this server in its metadata. */
export const SERVER = { name: 'bit-edge-gpu-backend', version: '0.1.0' } as const;

/** As Triton names models that onnxruntime runs. */
const PLATFORM = 'onnxruntime_onnx';

/** `/v2`, and `/v2/models/{model}[/versions/{version}]` with `/ready` and `/config`. */
export function modelRoutes(registry: Registry, lifecycle: Lifecycle): Hono {
  const find = (c: Context) => registry.get(c.req.param('model')!, c.req.param('version'));
  const metadata = (c: Context) => c.json(modelMetadata(registry, find(c)));
  const ready = (c: Context) => {
    const model = find(c);
    const isReady = lifecycle.phase === 'ready';
    return c.json({ name: model.name, ready: isReady }, isReady ? 200 : 503);
  };
  const config = (c: Context) => c.json(modelConfig(find(c)));
  const routes = new Hono().get('/v2', (c) => c.json(serverMetadata(registry)));
  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    routes.get(path, metadata).get(`${path}/ready`, ready).get(`${path}/config`, config);
  }
  return routes;
}

function serverMetadata(registry: Registry): ServerMetadata {
  const providers = [...new Set(Array.from(registry.models(), (model) => model.loaded.provider))];
  return {
    ...SERVER,
    extensions: ['binary_tensor_data', 'model_configuration'],
    parameters: { providers: providers.join(',') },
  };
}

function modelMetadata(registry: Registry, model: ServedModel): ModelMetadata {
  const { provider, precision, deviation } = model.loaded;
  return {
    name: model.name,
    versions: registry.versions(model.name),
    platform: PLATFORM,
    inputs: [...model.signature.inputs],
    outputs: [...model.signature.outputs],
    parameters: {
      version: model.version,
      provider,
      precision,
      max_batch_size: model.maxBatch,
      ...(deviation !== null && { deviation_from_cpu: deviation }),
    },
  };
}

/** Triton's model configuration: the part that clients read. Dimensions are without the batch. */
function modelConfig(model: ServedModel) {
  const tensors = (list: ServedModel['signature']['inputs']) =>
    list.map(({ name, datatype, shape }) => ({ name, data_type: `TYPE_${datatype}`, dims: shape.slice(1) }));
  return {
    name: model.name,
    platform: PLATFORM,
    backend: 'onnxruntime',
    max_batch_size: model.maxBatch,
    input: tensors(model.signature.inputs),
    output: tensors(model.signature.outputs),
  };
}
