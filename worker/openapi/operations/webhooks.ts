/** Webhooks in, and the deliveries that they lead to. */
import * as z from 'zod';
import {
  enableParametersSchema,
  eventsParametersSchema,
  rejudgeParametersSchema,
  replayParametersSchema,
  sourceParametersSchema,
} from '../../routes/webhooks.ts';
import { BODY_CODES, json, KEYED_CODES, type Operation, PARAMETER_CODES } from '../operation.ts';
import {
  acceptedWebhookSchema,
  enabledSchema,
  endpointListSchema,
  eventListSchema,
  eventSchema,
  rejudgedSchema,
  replayedEventSchema,
  replayedSchema,
  statsSchema,
} from '../schemas/webhooks.ts';

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

const shared = { tag: 'Moderation', scope: 'moderate', status: 200, codes: KEYED_CODES } as const;

const accept = {
  ...shared,
  method: 'post',
  scope: null,
  headers: {
    'webhook-id': 'Of the message; the same message is accepted once',
    'webhook-timestamp': 'Seconds since 1970',
    'webhook-signature':
      'v1,<base64> of HMAC-SHA256 (Standard Webhooks), or the header of the scheme that the source is set to',
  },
  body: { 'application/json': z.looseObject({}) },
  status: 202,
  answer: json(acceptedWebhookSchema),
  codes: webhook,
} as const;

/** The routes below `/v1/webhooks`. */
export const WEBHOOKS: readonly Operation[] = [
  {
    ...accept,
    path: '/v1/webhooks/images',
    id: 'acceptWebhook',
    summary: 'Takes a signed webhook of the only source',
  },
  {
    ...accept,
    path: '/v1/webhooks/images/:source',
    id: 'acceptWebhookOf',
    summary: 'Takes a signed webhook of a source',
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/webhooks/events',
    id: 'listEvents',
    summary: 'Events and their deliveries, newest first',
    query: eventsParametersSchema,
    answer: json(eventListSchema),
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/webhooks/events/:id',
    id: 'getEvent',
    summary: 'One event with every attempt to deliver it',
    answer: json(eventSchema),
    codes: [...KEYED_CODES, 'not_found'],
  },
  {
    ...shared,
    method: 'post',
    path: '/v1/webhooks/events/:id/replay',
    id: 'replayEvent',
    summary: 'Delivers an event again',
    status: 202,
    answer: json(replayedEventSchema),
    codes: [...KEYED_CODES, 'not_found', 'conflict'],
  },
  {
    ...shared,
    method: 'post',
    path: '/v1/webhooks/replay',
    id: 'replayEvents',
    summary: 'Delivers every dead or disabled event of a source again',
    body: json(replayParametersSchema),
    status: 202,
    answer: json(replayedSchema),
    codes: [...KEYED_CODES, ...BODY_CODES],
  },
  {
    ...shared,
    method: 'post',
    path: '/v1/webhooks/rejudge',
    id: 'rejudgeEvents',
    summary: 'Judges every undecided event of a source again',
    body: json(rejudgeParametersSchema),
    status: 202,
    answer: json(rejudgedSchema),
    codes: [...KEYED_CODES, ...BODY_CODES],
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/webhooks/stats',
    id: 'webhookStats',
    summary: 'Events by state',
    query: sourceParametersSchema,
    answer: json(statsSchema),
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/webhooks/endpoints',
    id: 'listEndpoints',
    summary: 'Callback URLs and their state',
    query: sourceParametersSchema,
    answer: json(endpointListSchema),
  },
  {
    ...shared,
    method: 'post',
    path: '/v1/webhooks/endpoints/enable',
    id: 'enableEndpoint',
    summary: 'Lets a disabled callback URL receive again',
    body: json(enableParametersSchema),
    answer: json(enabledSchema),
    codes: [...KEYED_CODES, ...BODY_CODES, 'not_found'],
  },
];
