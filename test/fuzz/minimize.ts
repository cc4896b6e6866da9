/** Makes a failing input smaller while it fails in the same way. */

/** Candidates tried, at most. */
const MAX_TRIES = 400;

/** Cuts pieces out of `bytes`, larger ones first, as long as `fails` stays true; returns the smallest found. */
export async function minimize(
  bytes: Uint8Array,
  fails: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = bytes;
  let tries = 0;
  for (let piece = best.length >> 1; piece >= 1 && tries < MAX_TRIES; piece >>= 1) {
    for (let at = best.length - piece; at >= 0 && tries < MAX_TRIES; at -= piece) {
      const candidate = new Uint8Array(best.length - piece);
      candidate.set(best.subarray(0, at));
      candidate.set(best.subarray(at + piece), at);
      tries++;
      if (await fails(candidate)) best = candidate;
    }
  }
  return best;
}
