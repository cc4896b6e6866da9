/** Every operation of the API, in the order of the document; a test holds them against the routes of the application. */
import type { Operation } from './operation.ts';
import { HEADS } from './operations/heads.ts';
import { HUGGING_FACE } from './operations/hugging-face.ts';
import { IMAGES } from './operations/images.ts';
import { OPEN_INFERENCE } from './operations/inference-protocol.ts';
import { JOBS } from './operations/jobs.ts';
import { MODELS } from './operations/models.ts';
import { MODERATION } from './operations/moderation.ts';
import { SERVICE } from './operations/service.ts';
import { WEBHOOKS } from './operations/webhooks.ts';
import { WORK } from './operations/work.ts';
import { WORKERS_AI } from './operations/workers-ai.ts';

/** The whole table. */
export const OPERATIONS: readonly Operation[] = [
  ...IMAGES,
  ...MODELS,
  ...HEADS,
  ...JOBS,
  ...WORK,
  ...MODERATION,
  ...WEBHOOKS,
  ...HUGGING_FACE,
  ...WORKERS_AI,
  ...OPEN_INFERENCE,
  ...SERVICE,
];
