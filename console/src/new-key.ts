/** Idempotency keys: a call that is repeated is done once. */
import { toHex } from '../../worker/bytes.ts';

/** 128 random bits in hex; unlike `crypto.randomUUID`, also on a page that was not loaded over https. */
export function newKey(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}
