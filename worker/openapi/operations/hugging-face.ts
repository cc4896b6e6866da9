/** Hugging Face's task contract. */
import { hfClassifyParametersSchema, hfFeatureParametersSchema, hfRequestSchema } from '../../routes/hugging-face.ts';
import { type Content, INFERENCE_CODES, json, type Operation } from '../operation.ts';
import { hfClassificationSchema, hfFeaturesSchema } from '../schemas/hugging-face.ts';

const hf = { method: 'post', tag: 'Hugging Face', status: 200, codes: [...INFERENCE_CODES, 'not_ready'] } as const;
const hfBody: Content = { 'application/octet-stream': 'binary', 'image/*': 'binary', ...json(hfRequestSchema) };
const hfHeaders = { 'x-wait-for-model': 'true: waits for a model that is loading instead of answering 503' };
const hfClassify = {
  ...hf,
  scope: 'classify',
  query: hfClassifyParametersSchema,
  headers: hfHeaders,
  body: hfBody,
  answer: json(hfClassificationSchema),
} as const;
const hfEmbed = {
  ...hf,
  scope: 'embed',
  query: hfFeatureParametersSchema,
  headers: hfHeaders,
  body: hfBody,
  answer: json(hfFeaturesSchema),
} as const;

/** The routes below `/models` and `/pipeline`. */
export const HUGGING_FACE: readonly Operation[] = [
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
];
