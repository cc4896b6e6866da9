/**
 * Env -> frozen Config. A bad value fails at once and names the variable. Only `index`, `app` and this file see `Env`.
 */

import { NAME_PATTERN } from '../model-store/layout.ts';
import defaultModel from '../model-store/models/default.json' with { type: 'json' };
import { ConfigurationError } from './errors.ts';

const MIB = 1024 * 1024;

/** What a deployment can set; every value has a default. */
export interface Config {
  /** Name of the model that answers where the request names none. `DEFAULT_MODEL`. */
  readonly defaultModel: string;
  /** Alias or version that answers where the request names none. `DEFAULT_MODEL_VERSION`, default `latest`. */
  readonly defaultModelVersion: string;
  /** Largest request body in bytes. `MAX_BODY_BYTES`, default 20 MiB. */
  readonly maxBodyBytes: number;
  /** Largest image in pixels. `MAX_IMAGE_PIXELS`, default 50 million. */
  readonly maxImagePixels: number;
  /** Longest image edge in px. `MAX_IMAGE_EDGE_PX`, default 20,000. */
  readonly maxImageEdgePx: number;
  /** Memory one decode may take in bytes. `MAX_DECODE_BYTES`, default 40 MiB. */
  readonly maxDecodeBytes: number;
  /** How long an alias look-up is believed, in ms. `ALIAS_MAX_AGE_MS`, default 30,000. */
  readonly aliasMaxAgeMs: number;
}

/** The variables of `Config`, as a deployment sets them. */
export type ConfigVariables = Readonly<Partial<Record<string, unknown>>>;

/**
 * Reads the configuration.
 * @throws ConfigurationError naming the first variable that is wrong.
 */
export function readConfig(env: ConfigVariables): Config {
  return Object.freeze({
    defaultModel: readName(env, 'DEFAULT_MODEL', defaultModel.name),
    defaultModelVersion: readName(env, 'DEFAULT_MODEL_VERSION', 'latest'),
    maxBodyBytes: readInteger(env, 'MAX_BODY_BYTES', 20 * MIB, 1, 100 * MIB),
    maxImagePixels: readInteger(env, 'MAX_IMAGE_PIXELS', 50_000_000, 1, 1_000_000_000),
    maxImageEdgePx: readInteger(env, 'MAX_IMAGE_EDGE_PX', 20_000, 1, 65_535),
    maxDecodeBytes: readInteger(env, 'MAX_DECODE_BYTES', 40 * MIB, MIB, 100 * MIB),
    aliasMaxAgeMs: readInteger(env, 'ALIAS_MAX_AGE_MS', 30_000, 0, 60_000),
  });
}

function readName(env: ConfigVariables, variable: string, fallback: string): string {
  const value = env[variable];
  if (value === undefined || value === '') return fallback;
  if (typeof value === 'string' && NAME_PATTERN.test(value)) return value;
  throw new ConfigurationError(`${variable} is "${String(value)}"; it must be 1 to 64 of a-z 0-9 . _ -`);
}

function readInteger(env: ConfigVariables, variable: string, fallback: number, min: number, max: number): number {
  const value = env[variable];
  if (value === undefined || value === '') return fallback;
  const number = typeof value === 'number' ? value : Number(value);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new ConfigurationError(`${variable} is "${String(value)}"; it must be an integer from ${min} to ${max}`);
}
