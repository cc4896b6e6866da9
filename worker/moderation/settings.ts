/**
 * Who may send webhooks, who receives callbacks, which uploads are watched: the moderation part of a deployment's
 * variables. Pure, no I/O.
 */
import * as z from 'zod';
import { NAME_PATTERN } from '../../model-store/layout.ts';
import { parseSigningKey, parseVerificationKey } from '../callbacks/standard-webhooks.ts';
import { ConfigurationError, FetchError } from '../errors.ts';
import { judgeUrl, type UrlPolicy } from '../fetch/url-policy.ts';

/** The source of decisions that `POST /v1/moderate` takes. */
export const API_SOURCE = 'api';

const sourceName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, '1 to 32 of a-z 0-9 -');
const policyReference = z
  .string()
  .refine((text) => text.split('@').length <= 2 && text.split('@').every((part) => NAME_PATTERN.test(part)), {
    message: 'must be NAME or NAME@VERSION',
  });
const bindingName = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be a binding of the worker: A-Z 0-9 _');

const sourceSchema = z.strictObject({
  name: sourceName,
  scheme: z.enum(['standard', 'github', 'cloudinary-sha1', 'cloudinary-sha256']).default('standard'),
  /** Any of them is accepted. */
  secrets: z.array(z.string().min(1)).min(1).max(8),
  retired_secrets: z
    .array(z.string().min(1))
    .max(8)
    .default(() => []),
  /** For items that name none. */
  policy: policyReference.default('default'),
  /** Receivers that its items may name as `callback_url`; the first one is called for items that name none. */
  receivers: z
    .array(sourceName)
    .max(64)
    .default(() => []),
});

const receiverSchema = z.strictObject({
  name: sourceName,
  /** Where callbacks go. One that ends in / stands for everything below it. */
  url: z.url(),
  /** Every callback is signed with all of them: `whsec_` (HMAC) and `whsk_` (ed25519). */
  secrets: z.array(z.string().min(1)).min(1).max(8),
});

const bucketSchema = z.strictObject({
  name: z.string().min(1).max(63),
  binding: bindingName,
  /** Keys that webhooks may name begin with one of these. */
  prefixes: z.array(z.string().max(200)).min(1),
});

const r2RuleSchema = z.strictObject({
  /** The source that its events and decisions appear under. */
  name: sourceName,
  bucket: z.string().min(1).max(63),
  prefix: z.string().max(200).default(''),
  policy: policyReference.default('default'),
  receiver: sourceName.optional(),
});

const settingsSchema = z.strictObject({
  sources: z
    .array(sourceSchema)
    .max(64)
    .default(() => []),
  receivers: z
    .array(receiverSchema)
    .max(256)
    .default(() => []),
  /** Default: `uploads/` of the bucket that wrangler.toml binds as `UPLOADS`. */
  buckets: z
    .array(bucketSchema)
    .max(16)
    .default(() => [{ name: 'uploads', binding: 'UPLOADS', prefixes: ['uploads/'] }]),
  /** The longest prefix that fits an object's key decides. */
  r2_rules: z
    .array(r2RuleSchema)
    .max(64)
    .default(() => []),
});

/** A sender of webhooks. */
export type WebhookSource = z.infer<typeof sourceSchema>;
/** A receiver of callbacks. */
export type Receiver = z.infer<typeof receiverSchema>;
/** A bucket that images may be read from. */
export type ImageBucket = z.infer<typeof bucketSchema>;
/** A prefix of a bucket whose uploads are moderated. */
export type R2Rule = z.infer<typeof r2RuleSchema>;

/** The moderation part of a deployment's configuration. */
export interface ModerationSettings extends Readonly<z.infer<typeof settingsSchema>> {
  /** How long decisions, events and their history are kept, in ms. `DECISION_RETENTION_DAYS`, default 30. */
  readonly retentionMs: number;
  /** How long a callback may take, in ms. `WEBHOOK_TIMEOUT_MS`, default 30,000. */
  readonly callbackTimeoutMs: number;
  /** Multiplies every retry delay. `WEBHOOK_RETRY_SCALE`, default 1; for tests that compress days into seconds. */
  readonly retryScale: number;
  /** When an accepted image that nobody judged is queued again, in ms. `MODERATION_REQUEUE_MS`, default 15 min. */
  readonly requeueMs: number;
}

/** Variables of a deployment by name. */
export type Variables = Readonly<Partial<Record<string, unknown>>>;

/**
 * Reads `MODERATION` (JSON; it holds secrets, so deploy it as a secret) and the variables beside it.
 * @throws ConfigurationError naming the variable and the field; never repeats a secret.
 */
export function readModerationSettings(variables: Variables, urlPolicy: UrlPolicy): ModerationSettings {
  const result = settingsSchema.safeParse(parseVariable(variables.MODERATION));
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new ConfigurationError(`MODERATION: ${issue.path.join('.') || 'value'}: ${issue.message}`);
  }
  const settings = result.data;
  checkNames(settings);
  for (const source of settings.sources) {
    const keys = source.scheme === 'standard' ? [...source.secrets, ...source.retired_secrets] : [];
    checkKeys(`MODERATION: source ${source.name}`, keys, parseVerificationKey);
  }
  for (const receiver of settings.receivers) {
    checkKeys(`MODERATION: receiver ${receiver.name}`, receiver.secrets, parseSigningKey);
    try {
      judgeUrl(receiver.url, urlPolicy);
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      throw new ConfigurationError(`MODERATION: receiver ${receiver.name}: ${error.message}`, { cause: error });
    }
  }
  return Object.freeze({
    ...settings,
    retentionMs: readNumber(variables, 'DECISION_RETENTION_DAYS', 30, 0.0001, 3650) * 86_400_000,
    callbackTimeoutMs: readNumber(variables, 'WEBHOOK_TIMEOUT_MS', 30_000, 10, 60_000),
    retryScale: readNumber(variables, 'WEBHOOK_RETRY_SCALE', 1, 0, 1),
    requeueMs: readNumber(variables, 'MODERATION_REQUEUE_MS', 15 * 60_000, 10, 86_400_000),
  });
}

/** The receiver whose secrets sign callbacks to a URL; the most specific one, null where there is none. */
export function findReceiver(settings: Pick<ModerationSettings, 'receivers'>, url: string): Receiver | null {
  const fitting = settings.receivers.filter((receiver) =>
    receiver.url.endsWith('/') ? url.startsWith(receiver.url) : url === receiver.url,
  );
  return fitting.sort((a, b) => b.url.length - a.url.length)[0] ?? null;
}

/** The rule for an object; null where none fits. */
export function findR2Rule(settings: Pick<ModerationSettings, 'r2_rules'>, bucket: string, key: string): R2Rule | null {
  const fitting = settings.r2_rules.filter((rule) => rule.bucket === bucket && key.startsWith(rule.prefix));
  return fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0] ?? null;
}

function parseVariable(value: unknown): unknown {
  if (value === undefined || value === '') return {};
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    // The parser's message would quote the text, and with it a secret.
    throw new ConfigurationError(`MODERATION is not JSON (${value.length} characters)`);
  }
}

function checkNames(settings: z.infer<typeof settingsSchema>): void {
  const sources = [API_SOURCE, ...[...settings.sources, ...settings.r2_rules].map(({ name }) => name)];
  const twice = sources.find((name, index) => sources.indexOf(name) !== index);
  if (twice !== undefined) throw new ConfigurationError(`MODERATION: two sources or rules are named "${twice}"`);
  const receivers = new Set(settings.receivers.map(({ name }) => name));
  const named = [
    ...settings.sources.flatMap((source) => source.receivers.map((receiver) => ({ name: source.name, receiver }))),
    ...settings.r2_rules.flatMap(({ name, receiver }) => (receiver === undefined ? [] : [{ name, receiver }])),
  ];
  for (const { name, receiver } of named) {
    if (!receivers.has(receiver)) {
      throw new ConfigurationError(`MODERATION: ${name} names receiver "${receiver}", which is not there`);
    }
  }
  for (const { name, bucket } of settings.r2_rules) {
    if (!settings.buckets.some((each) => each.name === bucket)) {
      throw new ConfigurationError(`MODERATION: rule ${name} names bucket "${bucket}", which is not in buckets`);
    }
  }
}

function checkKeys(where: string, keys: readonly string[], parse: (key: string) => unknown): void {
  for (const [index, key] of keys.entries()) {
    try {
      parse(key);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      throw new ConfigurationError(`${where}: secret ${index + 1}: ${error.message}`);
    }
  }
}

function readNumber(variables: Variables, variable: string, fallback: number, min: number, max: number): number {
  const value = variables[variable];
  if (value === undefined || value === '') return fallback;
  const number = typeof value === 'number' ? value : Number(value);
  if (number >= min && number <= max) return number;
  throw new ConfigurationError(`${variable} is "${String(value)}"; it must be a number from ${min} to ${max}`);
}
