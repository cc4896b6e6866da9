/** Zod schemas as the JSON Schema of what a client sends or reads: with the bounds that hold after text has become a number. */
import * as z from 'zod';
import { safeParse } from 'zod/v4/core';

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * Converts a schema. A value with a default is optional; text that is parsed has the schema of the text, or of what it becomes
 * where that is checked.
 */
export function toJsonSchema(schema: z.core.$ZodType): JsonSchema {
  const {
    $schema: _dialect,
    $defs: _any,
    ...rest
  } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod;
      if (def.type === 'pipe' && def.out._zod.def.type === 'transform') {
        Object.assign(jsonSchema, toJsonSchema(def.in));
      }
      if (def.type === 'object' && jsonSchema.required !== undefined) {
        const required = jsonSchema.required.filter((key) => !safeParse(def.shape[key]!, undefined).success);
        if (required.length > 0) jsonSchema.required = required;
        else delete jsonSchema.required;
      }
    },
  });
  return anyJson(rest) as JsonSchema;
}

/** The one recursive schema here is `z.json()`: any JSON, which is the empty schema. */
function anyJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(anyJson);
  if (typeof value !== 'object' || value === null) return value;
  if ('$ref' in value) return {};
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, anyJson(each)]));
}
