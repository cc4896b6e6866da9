/** Bulk jobs. */
import { jobQuerySchema, listJobsSchema, newJobSchema, resultsSchema } from '../../routes/jobs.ts';
import { BODY_CODES, json, KEYED_CODES, MODEL_CODES, type Operation } from '../operation.ts';
import { jobListSchema, jobSchema, retriedJobSchema } from '../schemas/jobs.ts';

const codes = [...KEYED_CODES, 'job_not_found', 'job_state_conflict'] as const;

const jobAnswer = { tag: 'Jobs', scope: 'jobs', answer: json(jobSchema) } as const;
const manifest = { 'application/x-ndjson': 'text', 'text/csv': 'text' } as const;

/** The routes below `/v1/jobs`. */
export const JOBS: readonly Operation[] = [
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
      ...codes,
      ...BODY_CODES,
      ...MODEL_CODES,
      'invalid_manifest_line',
      'idempotency_conflict',
      'idempotency_in_progress',
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
    answer: json(jobListSchema),
    codes,
  },
  {
    method: 'get',
    path: '/v1/jobs/:id',
    id: 'getJob',
    summary: 'State and progress of a job',
    ...jobAnswer,
    status: 200,
    codes,
  },
  {
    method: 'delete',
    path: '/v1/jobs/:id',
    id: 'cancelJob',
    summary: 'Cancels a job',
    ...jobAnswer,
    status: 200,
    codes,
  },
  {
    method: 'post',
    path: '/v1/jobs/:id/retry',
    id: 'retryJob',
    summary: 'Runs failed items again',
    ...jobAnswer,
    answer: json(retriedJobSchema),
    status: 202,
    codes,
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
    codes,
  },
  {
    method: 'get',
    path: '/v1/jobs/:id/events',
    id: 'watchJob',
    summary: 'Progress as server-sent events',
    ...jobAnswer,
    status: 200,
    answer: { 'text/event-stream': 'text' },
    codes,
  },
];
