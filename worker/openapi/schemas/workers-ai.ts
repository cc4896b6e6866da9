/** Workers AI's answer. */
import * as z from 'zod';
import { labelScores } from './common.ts';

/** Image classification. */
export const workersAiSchema = z.strictObject({
  result: labelScores,
  success: z.literal(true),
  errors: z.array(z.never()),
  messages: z.array(z.never()),
});
