/** Versions and their aliases. */
import { aliasRequestSchema } from '../../routes/models.ts';
import { BODY_CODES, json, KEY_CODES, LOOKUP_CODES, type Operation, RUNTIME_CODES } from '../operation.ts';
import { aliasMoveSchema, labelsSchema, modelListSchema, modelSchema, warmSchema } from '../schemas/models.ts';

const admin = [...LOOKUP_CODES, ...KEY_CODES] as const;

/** The routes below `/v1/models`. */
export const MODELS: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/models',
    id: 'listModels',
    tag: 'Models',
    summary: 'Published versions, their aliases, and what this isolate has loaded',
    scope: null,
    status: 200,
    answer: json(modelListSchema),
    codes: LOOKUP_CODES,
  },
  {
    method: 'get',
    path: '/v1/models/:model',
    id: 'getModel',
    tag: 'Models',
    summary: 'One version: name, name@version or name@alias',
    scope: null,
    status: 200,
    answer: json(modelSchema),
    codes: LOOKUP_CODES,
  },
  {
    method: 'get',
    path: '/v1/models/:model/labels',
    id: 'getLabels',
    tag: 'Models',
    summary: 'The labels of a version, by index',
    scope: null,
    status: 200,
    answer: json(labelsSchema),
    codes: LOOKUP_CODES,
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
    answer: json(aliasMoveSchema),
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
    answer: json(aliasMoveSchema),
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
    answer: json(warmSchema),
    codes: [...admin, ...RUNTIME_CODES],
  },
];
