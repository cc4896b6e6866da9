/** Every operation of the API; a test holds it against the routes of the application. */
import * as z from 'zod';
import { modelMetadataSchema, serverMetadataSchema } from '../oip/metadata.ts';
import { hfClassifyParametersSchema, hfFeatureParametersSchema, hfRequestSchema } from '../routes/hugging-face.ts';
import { jobQuerySchema, listJobsSchema, newJobSchema, resultsSchema } from '../routes/jobs.ts';
import { aliasRequestSchema } from '../routes/models.ts';
import { decisionsParametersSchema, moderateParametersSchema } from '../routes/moderate.ts';
import { classifyParametersSchema, embedParametersSchema, featuresParametersSchema } from '../routes/parameters.ts';
import {
  enableParametersSchema,
  eventsParametersSchema,
  replayParametersSchema,
  sourceParametersSchema,
} from '../routes/webhooks.ts';
import { workersAiRequestSchema } from '../routes/workers-ai.ts';
import {
  BODY_CODES,
  type Content,
  INFERENCE_CODES,
  KEY_CODES,
  MODEL_CODES,
  type Operation,
  PARAMETER_CODES,
  RUNTIME_CODES,
} from './operation.ts';
import * as answers from './schemas.ts';

const json = (schema: z.ZodType): Content => ({ 'application/json': schema });

const reference = z.union([
  z.string().describe('base64 or a data: URI'),
  z.strictObject({ url: z.string() }),
  z.strictObject({ r2: z.union([z.string(), z.strictObject({ bucket: z.string(), key: z.string() })]) }),
]);
const imageSource = {
  image: reference.optional(),
  images: z.array(reference).min(1).optional(),
  url: z.string().optional(),
  r2: z.union([z.string(), z.strictObject({ bucket: z.string(), key: z.string() })]).optional(),
};

/** The bodies of image routes: one of `image`, `images`, `url` and `r2` with the parameters, bytes, or a form. */
function imageBody(parameters: z.ZodObject): Content {
  return {
    'application/octet-stream': 'binary',
    'image/*': 'binary',
    'application/json': z.strictObject({ ...imageSource, ...parameters.shape }),
    'multipart/form-data': 'binary',
  };
}

const models = [...PARAMETER_CODES, ...MODEL_CODES] as const;
const admin = [...models, ...KEY_CODES] as const;
const moderation = [...PARAMETER_CODES, ...KEY_CODES] as const;
const jobs = [...PARAMETER_CODES, ...KEY_CODES, 'job_not_found', 'job_state_conflict'] as const;
const webhook = [
  ...PARAMETER_CODES,
  ...BODY_CODES,
  'signature_missing',
  'signature_invalid',
  'timestamp_out_of_range',
  'unknown_secret',
  'webhook_replayed',
  'url_not_allowed',
] as const;

const INFERENCE: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/classify',
    id: 'classify',
    tag: 'Inference',
    summary: 'Labels of one image or several',
    scope: 'classify',
    query: classifyParametersSchema,
    body: imageBody(classifyParametersSchema),
    status: 200,
    answer: json(answers.classificationSchema),
    codes: INFERENCE_CODES,
  },
  {
    method: 'post',
    path: '/v1/embed',
    id: 'embed',
    tag: 'Inference',
    summary: 'Embedding of one image or several',
    scope: 'embed',
    query: embedParametersSchema,
    body: imageBody(embedParametersSchema),
    status: 200,
    answer: json(answers.embeddingSchema),
    codes: [...INFERENCE_CODES, 'unsupported_output'],
  },
  {
    method: 'post',
    path: '/v1/features',
    id: 'features',
    tag: 'Inference',
    summary: 'Feature maps of the stages of the network',
    scope: 'embed',
    query: featuresParametersSchema,
    body: imageBody(featuresParametersSchema),
    status: 200,
    answer: json(answers.featuresSchema),
    codes: [...INFERENCE_CODES, 'unsupported_output'],
  },
];

const MODELS: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/models',
    id: 'listModels',
    tag: 'Models',
    summary: 'Published versions, their aliases, and what this isolate has loaded',
    scope: null,
    status: 200,
    answer: json(answers.modelListSchema),
    codes: models,
  },
  {
    method: 'get',
    path: '/v1/models/:model',
    id: 'getModel',
    tag: 'Models',
    summary: 'One version: name, name@version or name@alias',
    scope: null,
    status: 200,
    answer: json(answers.modelSchema),
    codes: models,
  },
  {
    method: 'get',
    path: '/v1/models/:model/labels',
    id: 'getLabels',
    tag: 'Models',
    summary: 'The labels of a version, by index',
    scope: null,
    status: 200,
    answer: json(answers.labelsSchema),
    codes: models,
  },
  {
    method: 'put',
    path: '/v1/models/:name/aliases/:alias',
    id: 'moveAlias',
    tag: 'Models',
    summary: 'Lets an alias name a version',
    scope: 'admin',
    body: json(aliasRequestSchema),
    status: 200,
    answer: json(answers.aliasMoveSchema),
    codes: [...admin, ...BODY_CODES, 'conflict'],
  },
  {
    method: 'delete',
    path: '/v1/models/:name/aliases/:alias',
    id: 'deleteAlias',
    tag: 'Models',
    summary: 'Removes an alias; its version stays',
    scope: 'admin',
    status: 200,
    answer: json(answers.aliasMoveSchema),
    codes: admin,
  },
  {
    method: 'post',
    path: '/v1/models/:model/warm',
    id: 'warmModel',
    tag: 'Models',
    summary: 'Loads a version into the isolate that answers',
    scope: 'admin',
    status: 200,
    answer: json(answers.warmSchema),
    codes: [...admin, ...RUNTIME_CODES],
  },
];

const jobAnswer = { tag: 'Jobs', scope: 'jobs', answer: json(answers.jobSchema) } as const;
const manifest = { 'application/x-ndjson': 'text', 'text/csv': 'text' } as const;
const JOBS: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/jobs',
    id: 'createJob',
    summary: 'Starts a bulk job',
    ...jobAnswer,
    query: jobQuerySchema,
    headers: { 'idempotency-key': 'A repeated request with the same key and body answers with the same job' },
    body: { ...json(newJobSchema), ...manifest },
    status: 202,
    codes: [
      ...jobs,
      ...BODY_CODES,
      ...MODEL_CODES,
      'invalid_manifest_line',
      'idempotency_conflict',
      'url_not_allowed',
      'object_not_found',
      'policy_not_found',
      'not_found',
    ],
  },
  {
    method: 'get',
    path: '/v1/jobs',
    id: 'listJobs',
    summary: 'Your jobs, newest first',
    ...jobAnswer,
    query: listJobsSchema,
    status: 200,
    answer: json(answers.jobListSchema),
    codes: jobs,
  },
  {
    method: 'get',
    path: '/v1/jobs/:id',
    id: 'getJob',
    summary: 'State and progress of a job',
    ...jobAnswer,
    status: 200,
    codes: jobs,
  },
  {
    method: 'delete',
    path: '/v1/jobs/:id',
    id: 'cancelJob',
    summary: 'Cancels a job',
    ...jobAnswer,
    status: 200,
    codes: jobs,
  },
  {
    method: 'post',
    path: '/v1/jobs/:id/retry',
    id: 'retryJob',
    summary: 'Runs failed items again',
    ...jobAnswer,
    status: 202,
    codes: jobs,
  },
  {
    method: 'get',
    path: '/v1/jobs/:id/results',
    id: 'getJobResults',
    summary: 'Results, one JSON object a line',
    ...jobAnswer,
    query: resultsSchema,
    status: 200,
    answer: { 'application/x-ndjson': 'text' },
    codes: jobs,
  },
  {
    method: 'get',
    path: '/v1/jobs/:id/events',
    id: 'watchJob',
    summary: 'Progress as server-sent events',
    ...jobAnswer,
    status: 200,
    answer: { 'text/event-stream': 'text' },
    codes: jobs,
  },
];

const moderate = { tag: 'Moderation', scope: 'moderate', status: 200, codes: moderation } as const;
const MODERATION: readonly Operation[] = [
  {
    ...moderate,
    method: 'post',
    path: '/v1/moderate',
    id: 'moderate',
    summary: 'The verdict of a policy on one image',
    query: moderateParametersSchema,
    body: imageBody(moderateParametersSchema),
    answer: json(answers.moderationSchema),
    codes: [...INFERENCE_CODES, 'policy_not_found', 'invalid_policy'],
  },
  {
    ...moderate,
    method: 'get',
    path: '/v1/decisions',
    id: 'listDecisions',
    summary: 'The log of decisions, newest first',
    query: decisionsParametersSchema,
    answer: json(answers.decisionListSchema),
  },
  {
    ...moderate,
    method: 'get',
    path: '/v1/decisions/:id',
    id: 'getDecision',
    summary: 'One decision',
    answer: json(answers.decisionSchema),
    codes: [...moderation, 'not_found'],
  },
  {
    ...moderate,
    method: 'post',
    path: '/v1/webhooks/images',
    id: 'acceptWebhook',
    summary: 'Takes a signed webhook of the only source',
    scope: null,
    body: { 'application/json': z.looseObject({}) },
    status: 202,
    answer: json(answers.acceptedWebhookSchema),
    codes: webhook,
  },
  {
    ...moderate,
    method: 'post',
    path: '/v1/webhooks/images/:source',
    id: 'acceptWebhookOf',
    summary: 'Takes a signed webhook of a source',
    scope: null,
    body: { 'application/json': z.looseObject({}) },
    status: 202,
    answer: json(answers.acceptedWebhookSchema),
    codes: webhook,
  },
  {
    ...moderate,
    method: 'get',
    path: '/v1/webhooks/events',
    id: 'listEvents',
    summary: 'Events and their deliveries, newest first',
    query: eventsParametersSchema,
    answer: json(answers.eventListSchema),
  },
  {
    ...moderate,
    method: 'get',
    path: '/v1/webhooks/events/:id',
    id: 'getEvent',
    summary: 'One event with every attempt to deliver it',
    answer: json(answers.eventSchema),
    codes: [...moderation, 'not_found'],
  },
  {
    ...moderate,
    method: 'post',
    path: '/v1/webhooks/events/:id/replay',
    id: 'replayEvent',
    summary: 'Delivers an event again',
    status: 202,
    answer: json(answers.replayedEventSchema),
    codes: [...moderation, 'not_found', 'conflict'],
  },
  {
    ...moderate,
    method: 'post',
    path: '/v1/webhooks/replay',
    id: 'replayEvents',
    summary: 'Delivers every dead or disabled event of a source again',
    body: json(replayParametersSchema),
    status: 202,
    answer: json(answers.replayedSchema),
    codes: [...moderation, ...BODY_CODES],
  },
  {
    ...moderate,
    method: 'get',
    path: '/v1/webhooks/stats',
    id: 'webhookStats',
    summary: 'Events by state',
    query: sourceParametersSchema,
    answer: json(answers.statsSchema),
  },
  {
    ...moderate,
    method: 'get',
    path: '/v1/webhooks/endpoints',
    id: 'listEndpoints',
    summary: 'Callback URLs and their state',
    query: sourceParametersSchema,
    answer: json(answers.endpointListSchema),
  },
  {
    ...moderate,
    method: 'post',
    path: '/v1/webhooks/endpoints/enable',
    id: 'enableEndpoint',
    summary: 'Lets a disabled callback URL receive again',
    body: json(enableParametersSchema),
    answer: json(answers.enabledSchema),
    codes: [...moderation, ...BODY_CODES, 'not_found'],
  },
];

const hf = { method: 'post', tag: 'Hugging Face', status: 200, codes: [...INFERENCE_CODES, 'not_ready'] } as const;
const hfBody: Content = { 'application/octet-stream': 'binary', 'image/*': 'binary', ...json(hfRequestSchema) };
const hfHeaders = { 'x-wait-for-model': 'true: waits for a model that is loading instead of answering 503' };
const hfClassify = {
  ...hf,
  scope: 'classify',
  query: hfClassifyParametersSchema,
  headers: hfHeaders,
  body: hfBody,
  answer: json(answers.hfClassificationSchema),
} as const;
const hfEmbed = {
  ...hf,
  scope: 'embed',
  query: hfFeatureParametersSchema,
  headers: hfHeaders,
  body: hfBody,
  answer: json(answers.hfFeaturesSchema),
} as const;
const workersAi = {
  method: 'post',
  tag: 'Workers AI',
  scope: 'classify',
  body: { 'application/octet-stream': 'binary', ...json(workersAiRequestSchema) },
  status: 200,
  answer: json(answers.workersAiSchema),
  codes: INFERENCE_CODES,
} as const;
const COMPATIBILITY: readonly Operation[] = [
  { ...hfClassify, path: '/models/:name', id: 'hfClassify', summary: 'Image classification' },
  {
    ...hfClassify,
    path: '/models/:organisation/:name',
    id: 'hfClassifyOf',
    summary: 'Image classification; the organisation says nothing',
  },
  { ...hfEmbed, path: '/models/:name/pipeline/feature-extraction', id: 'hfFeatures', summary: 'Feature extraction' },
  {
    ...hfEmbed,
    path: '/models/:organisation/:name/pipeline/feature-extraction',
    id: 'hfFeaturesOf',
    summary: 'Feature extraction; the organisation says nothing',
  },
  {
    ...hfEmbed,
    path: '/pipeline/feature-extraction/:name',
    id: 'hfPipeline',
    summary: 'Feature extraction, by pipeline',
  },
  {
    ...hfEmbed,
    path: '/pipeline/feature-extraction/:organisation/:name',
    id: 'hfPipelineOf',
    summary: 'Feature extraction, by pipeline; the organisation says nothing',
  },
  { ...workersAi, path: '/ai/run/:name', id: 'aiRun', summary: 'Image classification' },
  {
    ...workersAi,
    path: '/ai/run/:vendor/:name',
    id: 'aiRunOf',
    summary: 'Image classification; the vendor says nothing',
  },
  {
    ...workersAi,
    path: '/ai/run/@cf/:vendor/:name',
    id: 'aiRunCf',
    summary: 'Image classification; the vendor says nothing',
  },
];

const oip = { method: 'get', tag: 'Open Inference Protocol', scope: null, status: 200, codes: models } as const;
const inferBody: Content = { ...json(answers.inferRequestSchema), 'application/octet-stream': 'binary' };
const infer = {
  ...oip,
  method: 'post',
  scope: 'classify',
  headers: { 'inference-header-content-length': 'Bytes of JSON before binary tensors' },
  body: inferBody,
  answer: { ...json(answers.inferResponseSchema), 'application/octet-stream': 'binary' },
  codes: INFERENCE_CODES,
} as const;
const OPEN_INFERENCE: readonly Operation[] = [
  { ...oip, path: '/v2', id: 'serverMetadata', summary: 'What this server is', answer: json(serverMetadataSchema) },
  { ...oip, path: '/v2/health/live', id: 'serverLive', summary: 'The worker runs', answer: json(answers.liveSchema) },
  {
    ...oip,
    path: '/v2/health/ready',
    id: 'serverReady',
    summary: 'The default model can answer',
    answer: json(answers.oipReadySchema),
    codes: [...PARAMETER_CODES, 'not_ready'],
  },
  {
    ...oip,
    path: '/v2/models/:name',
    id: 'modelMetadata',
    summary: 'Inputs and outputs of a model',
    answer: json(modelMetadataSchema),
  },
  {
    ...oip,
    path: '/v2/models/:name/versions/:version',
    id: 'modelVersionMetadata',
    summary: 'Inputs and outputs of a version',
    answer: json(modelMetadataSchema),
  },
  {
    ...oip,
    path: '/v2/models/:name/ready',
    id: 'modelReady',
    summary: 'The model is loaded; if not, it begins to load',
    answer: json(answers.modelReadySchema),
    codes: [...models, 'not_ready'],
  },
  {
    ...oip,
    path: '/v2/models/:name/versions/:version/ready',
    id: 'modelVersionReady',
    summary: 'The version is loaded; if not, it begins to load',
    answer: json(answers.modelReadySchema),
    codes: [...models, 'not_ready'],
  },
  { ...infer, path: '/v2/models/:name/infer', id: 'infer', summary: 'Inference on tensors or encoded images' },
  {
    ...infer,
    path: '/v2/models/:name/versions/:version/infer',
    id: 'inferVersion',
    summary: 'Inference by one version',
  },
];

const operational = { method: 'get', tag: 'Operations', scope: null, status: 200, codes: [] } as const;
const OPERATIONAL: readonly Operation[] = [
  { ...operational, path: '/healthz', id: 'health', summary: 'The worker runs', answer: json(answers.healthSchema) },
  {
    ...operational,
    path: '/readyz',
    id: 'ready',
    summary: 'The default model is loaded and has run',
    answer: json(answers.readySchema),
    codes: ['not_ready'],
  },
  {
    ...operational,
    path: '/metrics',
    id: 'metrics',
    summary: 'What this isolate saw, for Prometheus',
    scope: 'admin',
    answer: { 'text/plain': 'text' },
    codes: KEY_CODES,
  },
  {
    ...operational,
    path: '/openapi.json',
    id: 'openapi',
    summary: 'This document',
    answer: { 'application/json': z.looseObject({ openapi: z.string() }) },
  },
  {
    ...operational,
    path: '/docs',
    id: 'docs',
    summary: 'This document for people, with the table of errors',
    answer: { 'text/html': 'text' },
  },
];

/** The whole table. */
export const OPERATIONS: readonly Operation[] = [
  ...INFERENCE,
  ...MODELS,
  ...JOBS,
  ...MODERATION,
  ...COMPATIBILITY,
  ...OPEN_INFERENCE,
  ...OPERATIONAL,
];
