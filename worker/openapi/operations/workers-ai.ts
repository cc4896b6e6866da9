/** Workers AI's shape. */
import { workersAiRequestSchema } from '../../routes/workers-ai.ts';
import { INFERENCE_CODES, json, type Operation } from '../operation.ts';
import { workersAiSchema } from '../schemas/workers-ai.ts';

const workersAi = {
  method: 'post',
  tag: 'Workers AI',
  scope: 'classify',
  body: { 'application/octet-stream': 'binary', ...json(workersAiRequestSchema) },
  status: 200,
  answer: json(workersAiSchema),
  codes: INFERENCE_CODES,
} as const;

/** The routes below `/ai/run`. */
export const WORKERS_AI: readonly Operation[] = [
  { ...workersAi, path: '/ai/run/:name', id: 'aiRun', summary: 'Image classification' },
  {
    ...workersAi,
    path: '/ai/run/:vendor/:name',
    id: 'aiRunOf',
    summary: 'Image classification; the vendor says nothing',
  },
  {
    ...workersAi,
    path: '/ai/run/@cf/:vendor/:name',
    id: 'aiRunCf',
    summary: 'Image classification; the vendor says nothing',
  },
];
