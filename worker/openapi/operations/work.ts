/** What GPU workers call. */
import {
  imageLinkSchema,
  leaseRequestSchema,
  releaseRequestSchema,
  renewRequestSchema,
  reportRequestSchema,
} from '../../routes/work.ts';
import { BODY_CODES, json, LOOKUP_CODES, type Operation, PARAMETER_CODES } from '../operation.ts';
import { leasesSchema, releasedSchema, renewedSchema, reportedSchema } from '../schemas/work.ts';

const KEY_CODES = ['unauthorized', 'forbidden', 'auth_not_configured'] as const;
const codes = [...PARAMETER_CODES, ...KEY_CODES, ...BODY_CODES] as const;
const shared = { method: 'post', tag: 'Work', scope: 'work', status: 200 } as const;

/** The routes below `/v1/work`. */
export const WORK: readonly Operation[] = [
  {
    ...shared,
    path: '/v1/work/lease',
    id: 'leaseWork',
    summary: 'Takes chunks of bulk jobs to work on',
    body: json(leaseRequestSchema),
    answer: json(leasesSchema),
    codes,
  },
  {
    ...shared,
    path: '/v1/work/renew',
    id: 'renewWork',
    summary: 'Says that chunks are still worked on',
    body: json(renewRequestSchema),
    answer: json(renewedSchema),
    codes,
  },
  {
    ...shared,
    path: '/v1/work/report',
    id: 'reportWork',
    summary: 'Reports what came of items of a chunk',
    body: json(reportRequestSchema),
    answer: json(reportedSchema),
    codes: [...codes, 'lease_lost'],
  },
  {
    ...shared,
    path: '/v1/work/release',
    id: 'releaseWork',
    summary: 'Gives a chunk back',
    body: json(releaseRequestSchema),
    answer: json(releasedSchema),
    codes: [...codes, 'lease_lost'],
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/work/images',
    id: 'readWorkImage',
    summary: 'An image of a leased chunk, by its link',
    query: imageLinkSchema,
    answer: { 'application/octet-stream': 'binary' },
    codes: [...PARAMETER_CODES, ...KEY_CODES, 'object_not_found'],
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/work/models/:name/:version/:file',
    id: 'readWorkModelFile',
    summary: 'A file of a model version that GPU workers run',
    answer: { 'application/octet-stream': 'binary' },
    codes: [...LOOKUP_CODES, ...KEY_CODES, 'not_found'],
  },
];
