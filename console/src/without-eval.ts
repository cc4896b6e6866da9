/** Imported before any schema: zod would ask whether it may make code from text, which the pages' policy reports as a violation. */
import { config } from 'zod/v4/core';

config({ jitless: true });
