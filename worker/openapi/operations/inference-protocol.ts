/** Open Inference Protocol v2. */
import { modelMetadataSchema, serverMetadataSchema } from '../../oip/metadata.ts';
import { indexRequestSchema, repositoryIndexSchema, statisticsSchema, tritonConfigSchema } from '../../oip/triton.ts';
import {
  BODY_CODES,
  type Content,
  INFERENCE_CODES,
  json,
  LOOKUP_CODES,
  type Operation,
  PARAMETER_CODES,
} from '../operation.ts';
import {
  inferRequestSchema,
  inferResponseSchema,
  liveSchema,
  modelReadySchema,
  oipReadySchema,
} from '../schemas/inference-protocol.ts';

const oip = { method: 'get', tag: 'Open Inference Protocol', scope: null, status: 200, codes: LOOKUP_CODES } as const;
const inferBody: Content = { ...json(inferRequestSchema), 'application/octet-stream': 'binary' };
const infer = {
  ...oip,
  method: 'post',
  scope: 'classify',
  headers: { 'inference-header-content-length': 'Bytes of JSON before binary tensors' },
  body: inferBody,
  answer: { ...json(inferResponseSchema), 'application/octet-stream': 'binary' },
  codes: INFERENCE_CODES,
} as const;

/** The routes below `/v2`. */
export const OPEN_INFERENCE: readonly Operation[] = [
  { ...oip, path: '/v2', id: 'serverMetadata', summary: 'What this server is', answer: json(serverMetadataSchema) },
  { ...oip, path: '/v2/health/live', id: 'serverLive', summary: 'The worker runs', answer: json(liveSchema) },
  {
    ...oip,
    path: '/v2/health/ready',
    id: 'serverReady',
    summary: 'The default model can answer',
    answer: json(oipReadySchema),
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
    answer: json(modelReadySchema),
    codes: [...LOOKUP_CODES, 'not_ready'],
  },
  {
    ...oip,
    path: '/v2/models/:name/versions/:version/ready',
    id: 'modelVersionReady',
    summary: 'The version is loaded; if not, it begins to load',
    answer: json(modelReadySchema),
    codes: [...LOOKUP_CODES, 'not_ready'],
  },
  {
    ...oip,
    path: '/v2/models/:name/config',
    id: 'modelConfig',
    summary: 'Triton: the configuration of a model',
    answer: json(tritonConfigSchema),
  },
  {
    ...oip,
    path: '/v2/models/:name/versions/:version/config',
    id: 'modelVersionConfig',
    summary: 'Triton: the configuration of a version',
    answer: json(tritonConfigSchema),
  },
  {
    ...oip,
    path: '/v2/models/:name/stats',
    id: 'modelStatistics',
    summary: 'Triton: what a model did in this isolate',
    answer: json(statisticsSchema),
  },
  {
    ...oip,
    path: '/v2/models/:name/versions/:version/stats',
    id: 'modelVersionStatistics',
    summary: 'Triton: what a version did in this isolate',
    answer: json(statisticsSchema),
  },
  {
    ...oip,
    method: 'post',
    path: '/v2/repository/index',
    id: 'repositoryIndex',
    summary: 'Triton: every published version, and whether this isolate has it loaded',
    body: json(indexRequestSchema),
    answer: json(repositoryIndexSchema),
    codes: [...PARAMETER_CODES, ...BODY_CODES, 'model_unavailable'],
  },
  { ...infer, path: '/v2/models/:name/infer', id: 'infer', summary: 'Inference on tensors or encoded images' },
  {
    ...infer,
    path: '/v2/models/:name/versions/:version/infer',
    id: 'inferVersion',
    summary: 'Inference by one version',
  },
];
