/** Mutations that know nothing of a format: flips, cuts, copies. Every mutator returns new bytes. */
import type { Random } from '../random.ts';

/** Changes a picture's bytes; `other` is another seed of the same format to splice with. */
export type Mutator = (random: Random, bytes: Uint8Array, other: Uint8Array) => Uint8Array;

/** Joins byte arrays. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Replaces `bytes[at .. at + remove - 1]`. */
export function splice(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  return concat([bytes.subarray(0, at), insert, bytes.subarray(Math.min(bytes.length, at + remove))]);
}

/** Random bytes. */
export function noise(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

/** Flips bits, or overwrites bytes, in `bytes[from .. to - 1]`. */
export function scribble(random: Random, bytes: Uint8Array, from: number, to: number): Uint8Array {
  const out = bytes.slice();
  if (to <= from) return out;
  const times = 1 << random.below(5);
  for (let i = 0; i < times; i++) {
    const at = random.between(from, to - 1);
    out[at] = random.chance(0.5) ? out[at]! ^ (1 << random.below(8)) : random.border(8, out[at]!);
  }
  return out;
}

function truncate(random: Random, bytes: Uint8Array): Uint8Array {
  return bytes.slice(0, random.chance(0.3) ? random.below(64) : random.below(bytes.length + 1));
}

function erase(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length);
  return splice(bytes, at, 1 + random.below(random.chance(0.5) ? 8 : 512), new Uint8Array(0));
}

function repeat(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length);
  const piece = bytes.slice(at, at + 1 + random.below(256));
  return splice(bytes, random.below(bytes.length), random.chance(0.5) ? piece.length : 0, piece);
}

function fill(random: Random, bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  const at = random.below(bytes.length);
  out.fill(random.pick([0x00, 0xff, 0x80, 0x7f]), at, at + 1 + random.below(64));
  return out;
}

function cross(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const cut = random.below(bytes.length);
  const from = random.chance(0.5) ? cut : random.below(other.length);
  return concat([bytes.subarray(0, cut), other.subarray(Math.min(from, other.length))]);
}

const MUTATORS: readonly Mutator[] = [
  (random, bytes) => scribble(random, bytes, 0, bytes.length),
  (random, bytes) => scribble(random, bytes, 0, Math.min(bytes.length, 64)),
  truncate,
  erase,
  repeat,
  fill,
  cross,
  (random, bytes) => splice(bytes, random.below(bytes.length), 0, noise(random, 1 + random.below(16))),
];

/** One mutation that knows nothing of the format. */
export const mutateBytes: Mutator = (random, bytes, other) => random.pick(MUTATORS)(random, bytes, other);
