/** Parts that answers of several routes share. */
import * as z from 'zod';

/** How many. */
export const count = z.int().nonnegative();

/** A name and the version that answered. */
export const version = z.strictObject({ name: z.string(), version: z.string() });

/** Labels, best first. */
export const labelScores = z.array(z.strictObject({ label: z.string(), score: z.number() }));
