/** Verdicts and the log of decisions. */
import { decisionsParametersSchema, moderateParametersSchema } from '../../routes/moderate.ts';
import { imageBody } from '../image-body.ts';
import { INFERENCE_CODES, json, KEYED_CODES, type Operation } from '../operation.ts';
import { decisionListSchema, loggedDecisionSchema, moderationSchema } from '../schemas/moderation.ts';

const shared = { tag: 'Moderation', scope: 'moderate', status: 200, codes: KEYED_CODES } as const;

/** `/v1/moderate` and the routes below `/v1/decisions`. */
export const MODERATION: readonly Operation[] = [
  {
    ...shared,
    method: 'post',
    path: '/v1/moderate',
    id: 'moderate',
    summary: 'The verdict of a policy on one image',
    query: moderateParametersSchema,
    body: imageBody(moderateParametersSchema),
    answer: json(moderationSchema),
    codes: [...INFERENCE_CODES, 'policy_not_found', 'invalid_policy'],
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/decisions',
    id: 'listDecisions',
    summary: 'The log of decisions, newest first',
    query: decisionsParametersSchema,
    answer: json(decisionListSchema),
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/decisions/:id',
    id: 'getDecision',
    summary: 'One decision',
    answer: json(loggedDecisionSchema),
    codes: [...KEYED_CODES, 'not_found'],
  },
];
