/** Keys of attempts, so that a call that is repeated is done once. */

/** 128 random bits in hex; unlike `crypto.randomUUID`, also where the page did not come by https. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
