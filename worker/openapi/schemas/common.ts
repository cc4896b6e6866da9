/** Parts that answers of several routes share. */
import * as z from 'zod';

/** How many. */
export const count = z.int().nonnegative();

/** A name and the version that answered. */
export const version = z.strictObject({ name: z.string(), version: z.string() });

/** Labels, best first. */
export const labelScores = z.array(z.strictObject({ label: z.string(), score: z.number() }));

/** A time as our answers write it: RFC 3339, UTC, milliseconds. */
export const time = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .meta({ format: 'date-time' });

/** Where the next page of a list begins; null on the last. */
export const nextCursor = z.string().nullable();
