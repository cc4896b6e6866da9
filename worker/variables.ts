/** Readers of a deployment's variables: what is absent or empty is the default; what is wrong is named. Pure. */
import type * as z from 'zod';
import { ConfigurationError } from './errors.ts';

/** Variables of a deployment by name. */
export type Variables = Readonly<Partial<Record<string, unknown>>>;

/** A number from `min` to `max`. @throws ConfigurationError naming the variable. */
export function readNumber(variables: Variables, name: string, fallback: number, min: number, max: number): number {
  const value = variables[name];
  if (value === undefined || value === '') return fallback;
  const number = typeof value === 'number' ? value : Number(value);
  if (number >= min && number <= max) return number;
  throw new ConfigurationError(`${name} is "${String(value)}"; it must be a number from ${min} to ${max}`);
}

/** An integer from `min` to `max`. @throws ConfigurationError naming the variable. */
export function readInteger(variables: Variables, name: string, fallback: number, min: number, max: number): number {
  const value = variables[name];
  if (value === undefined || value === '') return fallback;
  const number = typeof value === 'number' ? value : Number(value);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new ConfigurationError(`${name} is "${String(value)}"; it must be an integer from ${min} to ${max}`);
}

/** `true` or `false`. @throws ConfigurationError naming the variable. */
export function readBoolean(variables: Variables, name: string, fallback: boolean): boolean {
  const value = variables[name];
  if (value === undefined || value === '') return fallback;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new ConfigurationError(`${name} is "${String(value)}"; it must be true or false`);
}

/** One of several words; the first is the default. @throws ConfigurationError naming the variable. */
export function readChoice<T extends string>(variables: Variables, name: string, choices: readonly [T, ...T[]]): T {
  const value = variables[name];
  if (value === undefined || value === '') return choices[0];
  const choice = choices.find((each) => each === value);
  if (choice !== undefined) return choice;
  const words = choices.length === 1 ? choices[0] : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
  throw new ConfigurationError(`${name} is "${String(value)}"; it must be ${words}`);
}

/** A text; null if absent. The value is not repeated: it may be a secret. @throws ConfigurationError naming the variable. */
export function readText(variables: Variables, name: string): string | null {
  const value = variables[name];
  if (value === undefined || value === '') return null;
  if (typeof value === 'string') return value;
  throw new ConfigurationError(`${name} must be a text`);
}

/** A list separated by commas, without its empty parts. @throws ConfigurationError naming the variable. */
export function readList(variables: Variables, name: string): string[] {
  const value = variables[name];
  if (value === undefined || value === '') return [];
  if (typeof value !== 'string') throw new ConfigurationError(`${name} must be a text: a list separated by commas`);
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/**
 * JSON of a shape; an empty object if absent.
 * @throws ConfigurationError naming the variable and the first field that is wrong.
 */
export function readJson<T>(variables: Variables, name: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(parseJson(variables, name));
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new ConfigurationError(`${name}: ${issue.path.join('.') || 'value'}: ${issue.message}`);
}

/** A text, or what wrangler has parsed already. */
function parseJson(variables: Variables, name: string): unknown {
  const value = variables[name];
  if (value === undefined || value === '') return {};
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    // The parser's message would quote the text, and with it a secret.
    throw new ConfigurationError(`${name} is not JSON (${value.length} characters)`);
  }
}
