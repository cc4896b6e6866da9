/** Health, metrics and the document itself. */
import * as z from 'zod';
import { json, KEY_CODES, type Operation, PARAMETER_CODES } from '../operation.ts';
import { healthSchema, keySchema, readySchema } from '../schemas/service.ts';

const shared = { method: 'get', tag: 'Operations', scope: null, status: 200, codes: [] } as const;

/** The routes that are about the worker itself. */
export const SERVICE: readonly Operation[] = [
  { ...shared, path: '/healthz', id: 'health', summary: 'The worker runs', answer: json(healthSchema) },
  {
    ...shared,
    path: '/readyz',
    id: 'ready',
    summary: 'The default model is loaded and has run',
    answer: json(readySchema),
    codes: ['not_ready'],
  },
  {
    ...shared,
    path: '/metrics',
    id: 'metrics',
    summary: 'What this isolate saw, for Prometheus',
    scope: 'admin',
    answer: { 'text/plain': 'text' },
    codes: KEY_CODES,
  },
  {
    ...shared,
    path: '/v1/key',
    id: 'getKey',
    summary: 'What the API key of the request may do',
    answer: json(keySchema),
    codes: [...PARAMETER_CODES, 'unauthorized', 'auth_not_configured'],
  },
  {
    ...shared,
    path: '/openapi.json',
    id: 'openapi',
    summary: 'This document',
    answer: { 'application/json': z.looseObject({ openapi: z.string() }) },
  },
  {
    ...shared,
    path: '/docs',
    id: 'docs',
    summary: 'This document for people, with the table of errors',
    answer: { 'text/html': 'text' },
  },
];
