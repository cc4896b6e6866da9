/**
 * Open Inference Protocol v2 (KServe, Triton) on the worker's own models: server and model metadata, health, and inference with
 * JSON or binary tensors. Source: Open Inference Protocol, "HTTP/REST"; Triton, "Binary Tensor Data Extension".
 */
import { type Context, type Handler, Hono } from 'hono';
import { whileReading } from '../../model-store/load.ts';
import { type Manifest, manifestFunction, type TensorSpecification } from '../../model-store/manifest.ts';
import { listVersions, readManifest } from '../../model-store/versions.ts';
import { identify } from '../auth/authenticate.ts';
import { RequestError, RuntimeError } from '../errors.ts';
import { headManifest } from '../heads/head-classifier.ts';
import type { ModelReference } from '../inference/classifier.ts';
import { forGpuAlone, isForGpuAlone } from '../inference/memory-plan.ts';
import { credentialsOf, requireScope } from '../middleware/require-scope.ts';
import { decodeInferRequest, wantsBinary } from '../oip/infer-request.ts';
import { encodeInferResponse } from '../oip/infer-response.ts';
import { HEADER_LENGTH_HEADER, type MessageLimits, messageHeaders, parseHeaderLength } from '../oip/message.ts';
import type { ModelMetadata, ServerMetadata, TensorMetadata } from '../oip/metadata.ts';
import { indexRequestSchema, toTritonConfig } from '../oip/triton.ts';
import type { AppEnvironment } from '../services.ts';
import { readSmallJson, withBody } from './support/body-lease.ts';
import { IMAGE_INPUT, inferTensors } from './support/infer-tensors.ts';
import { requireLoaded } from './support/loaded-model.ts';
import { parseModelReference, tenantOf } from './support/model-reference.ts';
import { parseParameters, refuseParameters, withoutNulls } from './support/parameters.ts';
import { readBody } from './support/request-body.ts';

const SERVER: ServerMetadata = {
  name: 'bit-edge',
  version: '0.1.0',
  extensions: ['binary_tensor_data', 'classification', 'model_configuration', 'statistics', 'model_repository'],
};

/** As Triton names models that onnxruntime runs. */
const PLATFORM = 'onnxruntime_onnx';

/** Tensors in JSON: 16 rows of 3 x 224 x 224, nested, with room to spare. Parsed they take up to 16 bytes an element. */
const JSON_LIMITS: MessageLimits = { maxElements: 4 * 1024 * 1024, maxArrays: 64 * 1024 };

const DATATYPES = { float32: 'FP32', float16: 'FP16', uint8: 'UINT8' } as const;

const metadata: Handler<AppEnvironment> = async (c) => {
  const { manifest, versions } = await describe(c, await referenceOf(c));
  return c.json(toMetadata(manifest, versions));
};

const configuration: Handler<AppEnvironment> = async (c) => {
  const { manifest } = await describe(c, await referenceOf(c));
  if (isForGpuAlone(manifest)) throw forGpuAlone(manifest);
  return c.json(toTritonConfig(manifest, PLATFORM, IMAGE_INPUT, c.var.services.config.maxImagesPerRequest));
};

const statistics: Handler<AppEnvironment> = async (c) => {
  const { manifest } = await describe(c, await referenceOf(c));
  return c.json({ model_stats: [c.var.services.statistics.of(manifest.name, manifest.version)] });
};

const repositoryIndex: Handler<AppEnvironment> = async (c) => {
  refuseParameters(c.req.url);
  const { models, host } = c.var.services;
  const body = c.req.raw.body === null ? {} : await readIndexRequest(c);
  const { ready } = parseParameters(indexRequestSchema, new URLSearchParams(), withoutNulls(body));
  const loaded = new Set(host.loadedModels.map(({ manifest }) => `${manifest.name}@${manifest.version}`));
  const versions = await whileReading('the list of models', () => listVersions(models));
  const index = versions
    .filter((each) => each.complete)
    .map(({ name, version }) =>
      loaded.has(`${name}@${version}`)
        ? { name, version, state: 'READY', reason: '' }
        : { name, version, state: 'UNAVAILABLE', reason: 'not loaded yet: the first request loads it' },
    );
  return c.json(ready ? index.filter(({ state }) => state === 'READY') : index);
};

const modelReady: Handler<AppEnvironment> = async (c) => {
  const reference = await referenceOf(c);
  // A probe that finds the model absent starts its load, and does not wait for it.
  await requireLoaded(c, reference, 0);
  return c.json({ name: reference.name, ready: true });
};

const infer: Handler<AppEnvironment> = async (c) => {
  const reference = await referenceOf(c);
  return withBody(c, { reference }, async (memory) => {
    const body = await readBody(c.req.raw, memory);
    const request = decodeInferRequest(body, parseHeaderLength(c.req.header(HEADER_LENGTH_HEADER)), JSON_LIMITS);
    const { model, outputs, lease } = await inferTensors(c, request, reference);
    try {
      const answer = { modelName: model.name, modelVersion: model.version, id: request.id, outputs };
      const message = encodeInferResponse(answer, (output) => wantsBinary(request, output));
      return c.body(message.body, 200, messageHeaders(message));
    } finally {
      lease.release();
    }
  });
};

/** Health and metadata need no key, as the protocol's probes send none. */
export const inferenceProtocolRoutes = new Hono<AppEnvironment>()
  .get('/v2', (c) => {
    refuseParameters(c.req.url);
    return c.json(SERVER);
  })
  .get('/v2/health/live', (c) => {
    refuseParameters(c.req.url);
    return c.json({ live: true });
  })
  .get('/v2/health/ready', (c) => {
    refuseParameters(c.req.url);
    const { readiness } = c.var.services;
    if (readiness.check((promise) => c.executionCtx.waitUntil(promise)) !== null) return c.json({ ready: true });
    throw new RuntimeError('not_ready', readiness.reason, { retryAfterSeconds: 1 });
  })
  .post('/v2/repository/index', repositoryIndex)
  .get('/v2/models/:name', metadata)
  .get('/v2/models/:name/versions/:version', metadata)
  .get('/v2/models/:name/config', configuration)
  .get('/v2/models/:name/versions/:version/config', configuration)
  .get('/v2/models/:name/stats', statistics)
  .get('/v2/models/:name/versions/:version/stats', statistics)
  .get('/v2/models/:name/ready', modelReady)
  .get('/v2/models/:name/versions/:version/ready', modelReady)
  .post('/v2/models/:name/infer', requireScope('classify'), infer)
  .post('/v2/models/:name/versions/:version/infer', requireScope('classify'), infer);

async function referenceOf(c: Context<AppEnvironment>): Promise<ModelReference> {
  refuseParameters(c.req.url);
  const name = c.req.param('name') ?? '';
  const version = c.req.param('version');
  const text = version === undefined ? name : `${name}@${version}`;
  return parseModelReference(text, c.var.services.config, await callerOf(c));
}

/** Whose heads are meant: probes send no key; who sends one sees the heads of that key. */
async function callerOf(c: Context<AppEnvironment>): Promise<string> {
  if (c.var.tenant !== undefined || c.req.header('authorization') === undefined) return tenantOf(c);
  const { keys, config } = c.var.services;
  return (await identify(credentialsOf(c), config.authMode, keys, Date.now())).id;
}

/** Triton's clients send `{}`, or nothing at all. */
async function readIndexRequest(c: Context<AppEnvironment>): Promise<Record<string, unknown>> {
  try {
    return await readSmallJson(c);
  } catch (error) {
    if (error instanceof RequestError && error.code === 'empty_body') return {};
    throw error;
  }
}

async function describe(
  c: Context<AppEnvironment>,
  asked: ModelReference,
): Promise<{ manifest: Manifest; versions: string[] }> {
  const { host, models, heads } = c.var.services;
  const found = await heads.library.find(asked);
  if (found !== null) {
    const { name, version } = found.version.backbone;
    const backbone = await whileReading(`model ${name}`, () => readManifest(models, name, version));
    const versions = (await heads.library.index(asked.tenant ?? '', asked.name))?.versions ?? [];
    const manifest = headManifest(backbone, await heads.library.load(found), found);
    return { manifest, versions: versions.map((each) => each.version) };
  }
  const { name, reference } = asked;
  const version = await host.resolve(name, reference);
  return whileReading(`model ${name}`, async () => {
    const manifest = await readManifest(models, name, version);
    const versions = (await listVersions(models, name)).filter((each) => each.complete).map((each) => each.version);
    return { manifest, versions };
  });
}

function toMetadata(manifest: Manifest, versions: string[]): ModelMetadata {
  if (isForGpuAlone(manifest)) throw forGpuAlone(manifest);
  const variant = manifest.variants[manifest.default_variant]!;
  const tensor = ({ name, dtype, shape }: TensorSpecification): TensorMetadata => {
    return { name, datatype: DATATYPES[dtype], shape: shape.map((each) => (typeof each === 'string' ? -1 : each)) };
  };
  return {
    name: manifest.name,
    versions,
    platform: PLATFORM,
    // Either the preprocessed tensor, or encoded images, which are decoded and preprocessed here.
    inputs: [...variant.inputs.map(tensor), { name: IMAGE_INPUT, datatype: 'BYTES', shape: [-1] }],
    outputs: variant.outputs.map(tensor),
    parameters: {
      version: manifest.version,
      variant: manifest.default_variant,
      inputs: 'one_of',
      // Logits are not activated here.
      function_to_apply: manifestFunction(manifest),
    },
  };
}
