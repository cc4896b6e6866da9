/** Verdicts and the log of decisions. */
import { policySchema } from '../../moderation/policy/schema.ts';
import { decisionsParametersSchema, moderateParametersSchema } from '../../routes/moderate.ts';
import { newPolicySchema } from '../../routes/policies.ts';
import { nextReviewSchema, reviewRequestSchema, reviewsParametersSchema } from '../../routes/reviews.ts';
import { imageBody } from '../image-body.ts';
import {
  BODY_CODES,
  FETCH_CODES,
  IMAGE_CODES,
  INFERENCE_CODES,
  json,
  KEYED_CODES,
  MODEL_CODES,
  type Operation,
} from '../operation.ts';
import {
  claimedReviewSchema,
  decisionListSchema,
  loggedDecisionSchema,
  moderationSchema,
  publishedPolicySchema,
  reviewListSchema,
  reviewSchema,
} from '../schemas/moderation.ts';

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
  {
    ...shared,
    method: 'get',
    path: '/v1/reviews',
    id: 'listReviews',
    summary: 'What people are to decide, or have decided; with `label` and `image_sha256`, the labels of an export',
    query: reviewsParametersSchema,
    answer: json(reviewListSchema),
  },
  {
    ...shared,
    method: 'post',
    path: '/v1/reviews/next',
    id: 'claimNextReview',
    summary: 'Claims the oldest review that nobody holds, for five minutes',
    body: json(nextReviewSchema),
    answer: json(claimedReviewSchema),
    codes: [...KEYED_CODES, ...BODY_CODES],
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/reviews/:id',
    id: 'getReview',
    summary: 'One review',
    answer: json(reviewSchema),
    codes: [...KEYED_CODES, 'not_found'],
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/reviews/:id/image',
    id: 'getReviewImage',
    summary: 'The image of a pending review, fetched from its source',
    answer: { 'image/*': 'binary' },
    codes: [...KEYED_CODES, ...FETCH_CODES, ...IMAGE_CODES, 'not_found', 'overloaded', 'memory_budget_exceeded'],
  },
  {
    ...shared,
    method: 'post',
    path: '/v1/reviews/:id',
    id: 'review',
    summary: 'Claims, releases, approves or rejects a review',
    body: json(reviewRequestSchema),
    answer: json(reviewSchema),
    codes: [...KEYED_CODES, ...BODY_CODES, 'not_found', 'conflict'],
  },
  {
    ...shared,
    method: 'get',
    path: '/v1/policies/:policy',
    id: 'getPolicy',
    summary: 'A policy: name, name@version or name@alias',
    answer: json(policySchema),
    codes: [...KEYED_CODES, 'policy_not_found', 'invalid_policy'],
  },
  {
    ...shared,
    method: 'post',
    path: '/v1/policies',
    id: 'publishPolicy',
    summary: 'Publishes a version of a policy, checked against the labels of its model, and points an alias at it',
    scope: 'admin',
    body: json(newPolicySchema),
    status: 201,
    answer: json(publishedPolicySchema),
    codes: [...KEYED_CODES, ...BODY_CODES, ...MODEL_CODES, 'invalid_policy', 'conflict'],
  },
];
