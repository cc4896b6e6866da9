/**
 * Parameters of image routes: from the query string and from the body, checked once, unknown ones refused by name.
 */
import * as z from 'zod';
import { RequestError } from '../../errors.ts';
import { describeIssue } from '../../issue-text.ts';

/** Largest `top_k` that is accepted; more labels than a model has are cut to those it has. */
const MAX_TOP_K = 10_000;

/** Most characters of a request that an error repeats. */
const MAX_SHOWN = 80;

const integer = z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)], 'must be an integer');
const boolean = z.union(
  [z.boolean(), z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1')],
  'must be true or false',
);

/** `POST /v1/classify`: which model, how many labels, which activation, exact or fast JPEG decoding. */
export const classifyParametersSchema = z.strictObject({
  model: z.string().optional(),
  top_k: integer.pipe(z.int().min(1).max(MAX_TOP_K)).default(5),
  function_to_apply: z
    .enum(['softmax', 'sigmoid', 'none'])
    .optional()
    .describe("Default: the model's, softmax, or sigmoid if labels do not exclude each other or there is one."),
  exact: boolean.default(false),
});
export type ClassifyParameters = z.infer<typeof classifyParametersSchema>;

/** What an embedding is sent as, and whether it has unit length. */
export const embedParametersSchema = z.strictObject({
  model: z.string().optional(),
  encoding: z.enum(['float', 'base64']).default('float'),
  normalize: boolean.default(false),
  exact: boolean.default(false),
});
export type EmbedParameters = z.infer<typeof embedParametersSchema>;

/** Names of graph outputs: a list, or text with commas. */
const outputNames = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(','))], 'must be a list of output names')
  .pipe(
    z
      .array(z.string().regex(/^[a-z][a-z0-9_]*$/, 'must be names of outputs'))
      .min(1)
      .max(16),
  );

/** Which feature maps, and what they are sent as. */
export const featuresParametersSchema = z.strictObject({
  model: z.string().optional(),
  outputs: outputNames.default(['last_hidden_state']),
  encoding: z.enum(['float', 'base64']).default('base64'),
  exact: boolean.default(false),
});
export type FeaturesParameters = z.infer<typeof featuresParametersSchema>;

/** Of which label: by its index among the model's, or the best one. */
export const classActivationParametersSchema = z.strictObject({
  model: z.string().optional(),
  index: integer.pipe(z.int().min(0).max(100_000)).optional().describe('Of the label. Default: the best one.'),
  encoding: z.enum(['float', 'base64']).default('float'),
  exact: boolean.default(false),
});
export type ClassActivationParameters = z.infer<typeof classActivationParametersSchema>;

/** For routes that take no parameters: every one is unknown. */
export const noParametersSchema = z.strictObject({});

/** @throws RequestError `unknown_parameter` for the first parameter of a route that takes none. */
export function refuseParameters(url: string): void {
  parseParameters(noParametersSchema, new URL(url).searchParams, {});
}

/**
 * Checks the parameters of the query string and of the body together.
 * @throws RequestError `unknown_parameter` or `invalid_parameter`, naming the parameter and what it was.
 */
export function parseParameters<T extends z.ZodType>(
  schema: T,
  query: URLSearchParams,
  body: Readonly<Record<string, unknown>>,
): z.infer<T> {
  const values: Record<string, unknown> = { ...body };
  for (const [name, value] of query) {
    if (Object.hasOwn(values, name)) {
      const shown = name.slice(0, MAX_SHOWN);
      throw new RequestError('invalid_parameter', `"${shown}" is given twice`, { details: { parameter: shown } });
    }
    values[name] = value;
  }
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const name = String(issue.keys[0]);
    const where = (issue.path.length === 0 ? name : `${issue.path.join('.')}.${name}`).slice(0, MAX_SHOWN);
    throw new RequestError('unknown_parameter', `there is no parameter "${where}"`, { details: { parameter: where } });
  }
  const name = issue.path.join('.');
  const given = issue.path.reduce<unknown>(memberOf, values);
  const message =
    given === undefined
      ? `"${name}" is missing: ${describeIssue(issue)}`
      : `"${name}" is "${show(given).slice(0, MAX_SHOWN)}": ${describeIssue(issue)}`;
  throw new RequestError('invalid_parameter', message, { details: { parameter: name } });
}

/** The members that are not null: generated clients send null for what is not set. */
export function withoutNulls(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));
}

function show(value: unknown): string {
  return typeof value === 'object' && value !== null ? (JSON.stringify(value) ?? '') : String(value);
}

function memberOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}
