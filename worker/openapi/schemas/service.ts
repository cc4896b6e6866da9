/** Answers about the worker itself. */
import * as z from 'zod';
import { RATE_TIERS, SCOPES } from '../../auth/api-key.ts';
import { version } from './common.ts';

/** `GET /healthz`. */
export const healthSchema = z.strictObject({ status: z.literal('ok') });

/** `GET /readyz`. */
export const readySchema = z.strictObject({ status: z.literal('ready'), model: version });

/** `GET /v1/key`: `anonymous` where no key is needed; `rate_tier` is null where rates are not limited. */
export const keySchema = z.strictObject({
  id: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  rate_tier: z.enum(RATE_TIERS).nullable(),
});
