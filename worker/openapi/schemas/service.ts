/** Answers about the worker itself. */
import * as z from 'zod';
import { version } from './common.ts';

/** `GET /healthz`. */
export const healthSchema = z.strictObject({ status: z.literal('ok') });

/** `GET /readyz`. */
export const readySchema = z.strictObject({ status: z.literal('ready'), model: version });
