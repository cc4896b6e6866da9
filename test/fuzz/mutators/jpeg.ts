/** Mutations that know JPEG: segments, their lengths, frame, scan and table fields, and the entropy-coded bytes. */
import type { Random } from '../random.ts';
import { concat, type Mutator, mutateBytes, noise, scribble, splice } from './bytes.ts';
import { shuffle } from './chunks.ts';

const SOF0 = 0xc0;
const DHT = 0xc4;
const RST0 = 0xd0;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DRI = 0xdd;

/** A marker with its payload (length field excluded) and, behind SOS, the entropy-coded bytes. */
interface Segment {
  readonly marker: number;
  readonly payload: Uint8Array;
  readonly entropy: Uint8Array;
  /** What the length field says; normally `payload.length + 2`. */
  readonly length: number;
}

const NONE = new Uint8Array(0);

function parse(bytes: Uint8Array): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  while (at + 1 < bytes.length) {
    if (bytes[at] !== 0xff || bytes[at + 1] === 0xff) {
      at++;
      continue;
    }
    const marker = bytes[at + 1]!;
    at += 2;
    if (marker === SOI || marker === EOI || marker < 0xc0) {
      segments.push({ marker, payload: NONE, entropy: NONE, length: 0 });
      continue;
    }
    const length = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    const payload = bytes.slice(at + 2, at + Math.max(2, length));
    at += Math.max(2, length);
    const start = at;
    if (marker === SOS) {
      while (at < bytes.length && !isMarker(bytes, at)) at++;
    }
    segments.push({ marker, payload, entropy: bytes.slice(start, at), length });
  }
  return segments;
}

/** True where a marker other than RSTn begins. */
function isMarker(bytes: Uint8Array, at: number): boolean {
  const next = bytes[at + 1] ?? 0;
  return bytes[at] === 0xff && next !== 0 && next !== 0xff && !(next >= RST0 && next < SOI);
}

function serialize(segments: readonly Segment[]): Uint8Array {
  return concat(
    segments.flatMap(({ marker, payload, entropy, length }) => {
      const head = Uint8Array.of(0xff, marker);
      if (marker === SOI || marker === EOI || marker < 0xc0) return [head];
      return [head, Uint8Array.of(length >> 8, length & 255), payload, entropy];
    }),
  );
}

function withPayload(segment: Segment, payload: Uint8Array): Segment {
  return { ...segment, payload, length: payload.length + 2 };
}

function isFrame(marker: number): boolean {
  return marker >= SOF0 && marker <= 0xcf && marker !== DHT && marker !== 0xc8 && marker !== 0xcc;
}

function mutateFrame(random: Random, segment: Segment): Segment {
  const payload = segment.payload.slice();
  const component = 6 + 3 * random.below(4);
  switch (random.below(7)) {
    case 0:
      return { ...segment, marker: SOF0 + random.pick([0, 1, 2, 2, 3, 5, 9, 10]) };
    case 1: {
      const at = random.pick([1, 3]);
      const value = random.edge(16, (payload[at]! << 8) | payload[at + 1]!);
      payload[at] = value >> 8;
      payload[at + 1] = value & 255;
      break;
    }
    case 2:
      payload[0] = random.pick([8, 12, 16, 2, 0]);
      break;
    case 3:
      payload[5] = random.pick([0, 1, 2, 3, 4, 5, 255]);
      break;
    case 4:
      payload[component + 1] = random.chance(0.8)
        ? (random.between(1, 4) << 4) | random.between(1, 4)
        : random.below(256);
      break;
    case 5:
      payload[component + 2] = random.below(6);
      break;
    default:
      payload[component] = random.border(8, payload[component] ?? 0);
  }
  return { ...segment, payload };
}

function mutateScan(random: Random, segment: Segment): Segment {
  const payload = segment.payload.slice();
  const tail = payload.length - 3;
  switch (random.below(6)) {
    case 0:
      payload[0] = random.below(6);
      break;
    case 1:
      payload[1 + 2 * random.below(4)] = random.below(6);
      break;
    case 2:
      payload[2 + 2 * random.below(4)] = (random.below(5) << 4) | random.below(5);
      break;
    case 3:
      payload[tail] = random.pick([0, 1, 5, 63, 64, random.below(256)]);
      break;
    case 4:
      payload[tail + 1] = random.pick([0, 1, 5, 63, 64, random.below(256)]);
      break;
    default:
      payload[tail + 2] = (random.below(15) << 4) | random.below(15);
  }
  return { ...segment, payload };
}

function mutateEntropy(random: Random, segment: Segment): Segment {
  const { entropy } = segment;
  const at = random.below(entropy.length);
  const marker = Uint8Array.of(0xff, random.chance(0.7) ? RST0 + random.below(8) : random.below(256));
  switch (random.below(6)) {
    case 0:
      return { ...segment, entropy: scribble(random, entropy, at, Math.min(entropy.length, at + 64)) };
    case 1:
      return { ...segment, entropy: splice(entropy, at, random.below(3), marker) };
    case 2:
      return { ...segment, entropy: splice(entropy, at, 1 + random.below(200), NONE) };
    case 3:
      return { ...segment, entropy: splice(entropy, at, 0, noise(random, 1 + random.below(100))) };
    case 4: {
      const out = entropy.slice();
      out.fill(random.pick([0, 0xff, 0xaa]), at, at + 1 + random.below(100));
      return { ...segment, entropy: out };
    }
    default:
      return { ...segment, entropy: entropy.slice(0, at) };
  }
}

function mutateTable(random: Random, segment: Segment): Segment {
  const { payload } = segment;
  if (random.chance(0.3)) return withPayload(segment, mutateBytes(random, payload, payload));
  // The class, the precision and the code counts lie at the front.
  return {
    ...segment,
    payload: scribble(random, payload, 0, random.chance(0.6) ? Math.min(17, payload.length) : payload.length),
  };
}

function mutateSegment(random: Random, segment: Segment): Segment {
  if (random.chance(0.1)) return { ...segment, length: random.border(16, segment.length) };
  if (isFrame(segment.marker)) return mutateFrame(random, segment);
  if (segment.marker === SOS) {
    return random.chance(0.4) ? mutateScan(random, segment) : mutateEntropy(random, segment);
  }
  if (segment.marker === DHT || segment.marker === DQT) return mutateTable(random, segment);
  return withPayload(
    segment,
    segment.payload.length === 0 ? NONE : mutateBytes(random, segment.payload, segment.payload),
  );
}

/** One mutation of a JPEG's structure. */
export const mutateJpeg: Mutator = (random, bytes, other) => {
  const segments = parse(bytes);
  if (segments.length < 3) return mutateBytes(random, bytes, other);
  if (random.chance(0.2)) return serialize(shuffle(random, segments, parse(other)));
  if (random.chance(0.08)) {
    const payload = Uint8Array.of(random.below(2), random.below(256));
    const extra = random.pick([DRI, 0xdc, 0xe1, 0xee, 0xfe]);
    segments.splice(random.between(1, segments.length), 0, { marker: extra, payload, entropy: NONE, length: 4 });
    return serialize(segments);
  }
  // Frames and scans are few among the segments; they are where decoders live.
  const vital = segments.flatMap(({ marker }, i) => (isFrame(marker) || marker === SOS || marker === DHT ? [i] : []));
  const at = vital.length > 0 && random.chance(0.8) ? random.pick(vital) : random.between(1, segments.length - 1);
  segments[at] = mutateSegment(random, segments[at]!);
  return serialize(segments);
};
