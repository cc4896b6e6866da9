/**
 * What a policy does with an R2 object besides the callback. Each effect can be done twice with the same result,
 * because the queue may deliver twice and the worker may die in between.
 */

import { type Bindings, serviceBinding } from '../bindings.ts';
import { AppError } from '../errors.ts';
import type { ImageLocation } from '../images/image-location.ts';
import type { EffectResult } from './ledger/records.ts';
import type { Effect } from './policy/schema.ts';
import type { Decision } from './verdict-shapes.ts';

/** Custom metadata that marks an object as judged: the verdict, and the decision that explains it. */
export const VERDICT_METADATA = 'bit-edge-verdict';
export const DECISION_METADATA = 'bit-edge-decision';

/** Time that a bound service has, in ms. */
const SERVICE_TIMEOUT_MS = 30_000;

/** What effects work on. */
export interface EffectContext {
  readonly decision: Decision;
  /** The sender's id of the image. */
  readonly reference: string;
  /** Null for an image that came by URL: effects on objects do not apply. */
  readonly image: (ImageLocation & { readonly key: string }) | null;
  /** The bucket of `image`. */
  readonly bucket: R2Bucket | null;
  readonly bindings: Bindings;
}

/**
 * Carries out effects in their order. One that fails is reported, and does not keep the others from running.
 * The object is moved last, whatever the order, so that the others find it.
 */
export async function runEffects(effects: readonly Effect[], context: EffectContext): Promise<EffectResult[]> {
  const ordered = [...effects].sort((a, b) => Number(a.type === 'quarantine') - Number(b.type === 'quarantine'));
  const results: EffectResult[] = [];
  for (const effect of ordered) {
    if (effect.type !== 'service' && context.image === null) continue;
    try {
      const key = await runEffect(effect, context);
      results.push({ type: effect.type, status: 'done', ...(key === null ? {} : { key }) });
    } catch (error) {
      const message = error instanceof AppError ? error.message : String(error);
      results.push({ type: effect.type, status: 'failed', message: message.slice(0, 300) });
    }
  }
  return results;
}

async function runEffect(effect: Effect, context: EffectContext): Promise<string | null> {
  const { image, bucket } = context;
  if (effect.type === 'service') return callService(effect.binding, context);
  if (image === null || bucket === null) return null;
  switch (effect.type) {
    case 'quarantine':
      return quarantine(bucket, image, effect.prefix, context.decision);
    case 'tag':
      return tag(bucket, image, context.decision);
    case 'write_decision':
      return writeDecision(bucket, `${image.key}${effect.suffix}`, context);
  }
}

/** Copies the object below the prefix, then deletes it; the copy is complete before the original goes. */
async function quarantine(
  bucket: R2Bucket,
  image: { readonly key: string; readonly etag?: string | null },
  prefix: string,
  decision: Decision,
): Promise<string> {
  const target = `${prefix}${image.key}`;
  const object = await bucket.get(image.key);
  if (object === null) {
    if ((await bucket.head(target)) === null) throw new Error('the object is gone, and not in quarantine');
    return target;
  }
  if (isOverwritten(object, image.etag ?? null, decision)) {
    await object.body.cancel();
    throw new Error('the object was overwritten since it was judged');
  }
  await bucket.put(target, object.body, copyOptions(object, decision));
  // R2 has no conditional delete: look again, so that an upload during the copy is not lost.
  const now = await bucket.head(image.key);
  if (now !== null && now.etag === object.etag && now.uploaded.getTime() === object.uploaded.getTime()) {
    await bucket.delete(image.key);
  }
  return target;
}

/** R2 changes metadata only with the object: it is written again, over the one that was judged. */
async function tag(
  bucket: R2Bucket,
  image: { readonly key: string; readonly etag?: string | null },
  decision: Decision,
): Promise<string> {
  const object = await bucket.get(image.key);
  if (object === null) throw new Error('the object is gone');
  if (object.customMetadata?.[DECISION_METADATA] === decision.id) {
    await object.body.cancel();
    return image.key;
  }
  if (isOverwritten(object, image.etag ?? null, decision)) {
    await object.body.cancel();
    throw new Error('the object was overwritten since it was judged');
  }
  const options = { ...copyOptions(object, decision), onlyIf: { etagMatches: object.etag } };
  if ((await bucket.put(image.key, object.body, options)) === null) {
    throw new Error('the object was overwritten since it was judged');
  }
  return image.key;
}

async function writeDecision(bucket: R2Bucket, key: string, { decision, reference }: EffectContext): Promise<string> {
  const body = JSON.stringify({ id: reference, decision });
  await bucket.put(key, body, {
    httpMetadata: { contentType: 'application/json' },
    customMetadata: { [DECISION_METADATA]: decision.id },
  });
  return key;
}

/** The decision's id is the idempotency key: a service sees it again where the first answer was lost. */
async function callService(binding: string, { bindings, decision, reference }: EffectContext): Promise<null> {
  const response = await serviceBinding(bindings, binding).fetch('https://moderation.internal/decisions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': decision.id },
    body: JSON.stringify({ id: reference, decision }),
    signal: AbortSignal.timeout(SERVICE_TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`service ${binding} answered ${response.status}`);
  return null;
}

function isOverwritten(object: R2Object, etag: string | null, decision: Decision): boolean {
  if (object.customMetadata?.[DECISION_METADATA] === decision.id) return false;
  return etag !== null && object.etag !== etag;
}

function copyOptions(object: R2Object, decision: Decision): R2PutOptions {
  return {
    ...(object.httpMetadata === undefined ? {} : { httpMetadata: object.httpMetadata }),
    customMetadata: {
      ...object.customMetadata,
      [VERDICT_METADATA]: decision.verdict,
      [DECISION_METADATA]: decision.id,
    },
  };
}
