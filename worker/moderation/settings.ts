/**
 * Who may send webhooks, who receives callbacks, which uploads are watched: the moderation part of a deployment's
 * variables. Pure, no I/O.
 */
import * as z from 'zod';
import { NAME_PATTERN } from '../../model-store/layout.ts';
import {
  type CallbackSettings,
  checkKeys,
  readCallbackSettings,
  receiversSchema,
} from '../callbacks/callback-settings.ts';
import { parseVerificationKey } from '../callbacks/standard-webhooks.ts';
import { ConfigurationError } from '../errors.ts';
import type { UrlPolicy } from '../fetch/url-policy.ts';
import { imageBucketsSchema } from '../images/image-buckets.ts';
import { readJson, readNumber, type Variables } from '../variables.ts';

/** The source of decisions that `POST /v1/moderate` takes. */
export const API_SOURCE = 'api';

const sourceName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, '1 to 32 of a-z 0-9 -');
const policyReference = z
  .string()
  .refine((text) => text.split('@').length <= 2 && text.split('@').every((part) => NAME_PATTERN.test(part)), {
    message: 'must be NAME or NAME@VERSION',
  });

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
  receivers: receiversSchema,
  buckets: imageBucketsSchema,
  /** The longest prefix that fits an object's key decides. */
  r2_rules: z
    .array(r2RuleSchema)
    .max(64)
    .default(() => []),
});

/** A sender of webhooks. */
export type WebhookSource = z.infer<typeof sourceSchema>;
/** A prefix of a bucket whose uploads are moderated. */
export type R2Rule = z.infer<typeof r2RuleSchema>;

/** The moderation part of a deployment's configuration. */
export interface ModerationSettings
  extends CallbackSettings,
    Readonly<Omit<z.infer<typeof settingsSchema>, keyof CallbackSettings>> {
  /** How long decisions, events and their history are kept, in ms. `DECISION_RETENTION_DAYS`, default 30. */
  readonly retentionMs: number;
  /** When an accepted image that nobody judged is queued again, in ms. `MODERATION_REQUEUE_MS`, default 15 min. */
  readonly requeueMs: number;
}

/**
 * Reads `MODERATION` (JSON; it holds secrets, so deploy it as a secret) and the variables beside it.
 * @throws ConfigurationError naming the variable and the field; never repeats a secret.
 */
export function readModerationSettings(variables: Variables, urlPolicy: UrlPolicy): ModerationSettings {
  const settings = readJson(variables, 'MODERATION', settingsSchema);
  checkNames(settings);
  for (const source of settings.sources) {
    const keys = source.scheme === 'standard' ? [...source.secrets, ...source.retired_secrets] : [];
    checkKeys(`MODERATION: source ${source.name}`, keys, parseVerificationKey);
  }
  return Object.freeze({
    ...settings,
    ...readCallbackSettings(variables, urlPolicy),
    retentionMs: readNumber(variables, 'DECISION_RETENTION_DAYS', 30, 0.0001, 3650) * 86_400_000,
    requeueMs: readNumber(variables, 'MODERATION_REQUEUE_MS', 15 * 60_000, 10, 86_400_000),
  });
}

/** The rule for an object; null where none fits. */
export function findR2Rule(settings: Pick<ModerationSettings, 'r2_rules'>, bucket: string, key: string): R2Rule | null {
  const fitting = settings.r2_rules.filter((rule) => rule.bucket === bucket && key.startsWith(rule.prefix));
  return fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0] ?? null;
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
