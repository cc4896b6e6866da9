/** Images in, answers of the network out. */
import {
  classActivationParametersSchema,
  classifyParametersSchema,
  embedParametersSchema,
  featuresParametersSchema,
} from '../../routes/support/parameters.ts';
import { imageBody } from '../image-body.ts';
import { INFERENCE_CODES, json, type Operation } from '../operation.ts';
import { classActivationSchema, classificationSchema, embeddingSchema, featuresSchema } from '../schemas/images.ts';

/** The routes of one image or several. */
export const IMAGES: readonly Operation[] = [
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
    answer: json(classificationSchema),
    codes: INFERENCE_CODES,
  },
  {
    method: 'post',
    path: '/v1/class-activation',
    id: 'classActivation',
    tag: 'Inference',
    summary: "Where in an image the evidence for a label is: the label's class activation map",
    scope: 'classify',
    query: classActivationParametersSchema,
    body: imageBody(classActivationParametersSchema),
    status: 200,
    answer: json(classActivationSchema),
    codes: [...INFERENCE_CODES, 'unsupported_output'],
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
    answer: json(embeddingSchema),
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
    answer: json(featuresSchema),
    codes: [...INFERENCE_CODES, 'unsupported_output'],
  },
];
