/** Who receives callbacks, and how they are sent: member `receivers` of the variable `MODERATION`, and variables beside it. Pure. */
import * as z from 'zod';
import { ConfigurationError, FetchError } from '../errors.ts';
import { judgeUrl, type UrlPolicy } from '../fetch/url-policy.ts';
import { readJson, readNumber, type Variables } from '../variables.ts';
import { parseSigningKey } from './standard-webhooks.ts';

const receiverSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, '1 to 32 of a-z 0-9 -'),
  /** The URL of callbacks. One that ends in / stands for everything below it. */
  url: z.url(),
  /** Every callback is signed with all of them: `whsec_` (HMAC) and `whsk_` (ed25519). */
  secrets: z.array(z.string().min(1)).min(1).max(8),
});

/** The receivers of a deployment. */
export const receiversSchema = z
  .array(receiverSchema)
  .max(256)
  .default(() => []);

/** A receiver of callbacks. */
export type Receiver = z.infer<typeof receiverSchema>;

/** The part of a deployment's configuration that callbacks need. */
export interface CallbackSettings {
  readonly receivers: readonly Receiver[];
  /** How long a callback may take, in ms. `WEBHOOK_TIMEOUT_MS`, default 30,000. */
  readonly callbackTimeoutMs: number;
  /** Multiplies every retry delay. `WEBHOOK_RETRY_SCALE`, default 1; for tests that compress days into seconds. */
  readonly retryScale: number;
}

/**
 * Reads the settings.
 * @throws ConfigurationError naming the variable and the field; never repeats a secret.
 */
export function readCallbackSettings(variables: Variables, urlPolicy: UrlPolicy): CallbackSettings {
  const { receivers } = readJson(variables, 'MODERATION', z.object({ receivers: receiversSchema }));
  for (const { name, url, secrets } of receivers) {
    checkKeys(`MODERATION: receiver ${name}`, secrets, parseSigningKey);
    try {
      judgeUrl(url, urlPolicy);
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      throw new ConfigurationError(`MODERATION: receiver ${name}: ${error.message}`, { cause: error });
    }
  }
  return {
    receivers,
    callbackTimeoutMs: readNumber(variables, 'WEBHOOK_TIMEOUT_MS', 30_000, 10, 60_000),
    retryScale: readNumber(variables, 'WEBHOOK_RETRY_SCALE', 1, 0, 1),
  };
}

/** Parses every key. @throws ConfigurationError that counts the keys and repeats none. */
export function checkKeys(where: string, keys: readonly string[], parse: (key: string) => unknown): void {
  for (const [index, key] of keys.entries()) {
    try {
      parse(key);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      throw new ConfigurationError(`${where}: secret ${index + 1}: ${error.message}`);
    }
  }
}

/** The receiver whose secrets sign callbacks to a URL: the most specific one; null if there is none. */
export function findReceiver({ receivers }: Pick<CallbackSettings, 'receivers'>, url: string): Receiver | null {
  const fitting = receivers.filter((receiver) =>
    receiver.url.endsWith('/') ? url.startsWith(receiver.url) : url === receiver.url,
  );
  return fitting.sort((a, b) => b.url.length - a.url.length)[0] ?? null;
}
