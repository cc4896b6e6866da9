/** The body of `POST /v1/webhooks/images` -> items of a ledger. Pure but for hashing. */
import * as z from 'zod';
import { utf8 } from '../bytes.ts';
import { findReceiver } from '../callbacks/callback-settings.ts';
import { ModerationError, RequestError } from '../errors.ts';
import type { UrlPolicy } from '../fetch/url-policy.ts';
import {
  imageReferenceMembers,
  judgeMember,
  locateReference,
  NAMES_ONE_IMAGE,
  namesOneImage,
} from '../images/image-location.ts';
import { checkJsonShape, type JsonLimits } from '../json-shape.ts';
import { eventId } from './identifiers.ts';
import { MAX_METADATA_BYTES } from './ledger/payload.ts';
import type { IncomingItem } from './ledger/records.ts';
import { parsePolicyReference } from './policy/layout.ts';
import type { ModerationSettings, WebhookSource } from './settings.ts';

/** Most images in one webhook. */
export const MAX_ITEMS = 100;

const itemSchema = z
  .strictObject({
    /** The sender's id of the image; comes back in the callback. */
    id: z.string().min(1).max(256),
    ...imageReferenceMembers,
    policy: z.string().max(130).optional(),
    callback_url: z.string().optional(),
    /** Any JSON. Not `z.json()`, which looks at every value again. */
    metadata: z.unknown().optional(),
  })
  .refine(namesOneImage, NAMES_ONE_IMAGE);
type WebhookItem = z.infer<typeof itemSchema>;

const listSchema = z.array(itemSchema).min(1);

/** What a webhook may hold: all its items with as much metadata as is allowed. */
const JSON_LIMITS: JsonLimits = { maxDepth: 64, maxValues: MAX_ITEMS * (MAX_METADATA_BYTES / 2 + 16) };

/**
 * Checks a webhook's body, all of it, before anything is accepted: an item, a list of items, or either as the `data` of
 * the envelope that Standard Webhooks recommends (`{type, timestamp, data}`).
 * @throws RequestError `invalid_body`, naming the item and the field.
 * @throws FetchError `url_not_allowed`; ModerationError `policy_not_found`.
 */
export async function parseWebhookBody(
  body: Uint8Array,
  messageId: string,
  source: WebhookSource,
  settings: ModerationSettings,
  urlPolicy: UrlPolicy,
): Promise<IncomingItem[]> {
  const value = unwrap(parseJson(body));
  const isList = Array.isArray(value);
  if (isList && value.length > MAX_ITEMS) {
    throw new RequestError('invalid_body', `the webhook has ${value.length} items; limit ${MAX_ITEMS}`, {
      details: { items: value.length, limit: MAX_ITEMS },
    });
  }
  const result = listSchema.safeParse(isList ? value : [value]);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    const field = (isList ? issue.path : issue.path.slice(1)).join('.') || 'body';
    throw new RequestError('invalid_body', `${field}: ${issue.message}`, { details: { field } });
  }
  return Promise.all(
    result.data.map(async (item, position) => {
      const where = isList ? `${position}.` : '';
      return toIncoming(item, where, await eventId(source.name, messageId, position), source, settings, urlPolicy);
    }),
  );
}

function parseJson(body: Uint8Array): unknown {
  checkJsonShape(body, JSON_LIMITS);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body)) as unknown;
  } catch (cause) {
    throw new RequestError('invalid_body', `the body is not JSON (${body.byteLength} bytes)`, { cause });
  }
}

function unwrap(value: unknown): unknown {
  const isEnvelope = typeof value === 'object' && value !== null && 'type' in value && 'data' in value;
  return isEnvelope ? value.data : value;
}

function toIncoming(
  item: WebhookItem,
  where: string,
  id: string,
  source: WebhookSource,
  settings: ModerationSettings,
  urlPolicy: UrlPolicy,
): IncomingItem {
  const metadata = item.metadata === undefined ? null : JSON.stringify(item.metadata);
  const metadataBytes = metadata === null ? 0 : utf8(metadata).byteLength;
  if (metadataBytes > MAX_METADATA_BYTES) {
    throw new RequestError('invalid_body', `${where}metadata: ${metadataBytes} bytes; limit ${MAX_METADATA_BYTES}`, {
      details: { field: `${where}metadata`, bytes: metadataBytes, limit_bytes: MAX_METADATA_BYTES },
    });
  }
  const policy = item.policy ?? source.policy;
  try {
    parsePolicyReference(policy);
  } catch (error) {
    if (!(error instanceof ModerationError)) throw error;
    throw new RequestError('invalid_body', `${where}policy: ${error.message}`, {
      details: { field: `${where}policy` },
    });
  }
  return {
    eventId: id,
    reference: item.id,
    image: locateReference(item, where, { buckets: settings.buckets, urlPolicy }),
    policy,
    callbackUrl: callbackUrl(item, where, source, settings, urlPolicy),
    metadata,
  };
}

/** A callback goes only where a receiver with a secret is configured: it is never sent unsigned. */
function callbackUrl(
  item: WebhookItem,
  where: string,
  source: WebhookSource,
  settings: ModerationSettings,
  urlPolicy: UrlPolicy,
): string | null {
  if (item.callback_url === undefined) {
    return settings.receivers.find(({ name }) => name === source.receivers[0])?.url ?? null;
  }
  const url = judgeMember(item.callback_url, `${where}callback_url`, urlPolicy);
  // A receiver of another source would take a callback with its own signature for a verdict on its own images.
  const receiver = findReceiver(settings, url);
  if (receiver !== null && source.receivers.includes(receiver.name)) return url;
  throw new RequestError('invalid_body', `${where}callback_url: source ${source.name} has no receiver for this URL`, {
    details: { field: `${where}callback_url` },
  });
}
