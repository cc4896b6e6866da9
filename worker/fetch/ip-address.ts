/**
 * IP literals in a URL's host: parse to bytes, and name the special range an address lies in. Pure: no I/O, no DNS.
 * Ranges: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates).
 */

/** Why an address is not an address of the public internet. */
export type SpecialRange =
  | 'unspecified'
  | 'private'
  | 'loopback'
  | 'link_local'
  | 'cgnat'
  | 'multicast'
  | 'broadcast'
  | 'reserved'
  | 'benchmarking'
  | 'documentation'
  | 'unique_local'
  | 'ipv4_in_ipv6'
  | 'cloud_metadata';

/** A CIDR block and the name of what it is for. */
type Block = readonly [network: readonly number[], prefixBits: number, range: SpecialRange];

/** First match wins, so narrower blocks stand before wider ones. */
const IPV4_BLOCKS: readonly Block[] = [
  [[0], 8, 'unspecified'],
  [[10], 8, 'private'],
  [[100, 64], 10, 'cgnat'],
  [[127], 8, 'loopback'],
  [[168, 63, 129, 16], 32, 'cloud_metadata'],
  [[169, 254, 169, 254], 32, 'cloud_metadata'],
  [[169, 254], 16, 'link_local'],
  [[172, 16], 12, 'private'],
  [[192, 0, 0], 24, 'reserved'],
  [[192, 0, 2], 24, 'documentation'],
  [[192, 31, 196], 24, 'reserved'],
  [[192, 52, 193], 24, 'reserved'],
  [[192, 88, 99], 24, 'reserved'],
  [[192, 168], 16, 'private'],
  [[192, 175, 48], 24, 'reserved'],
  [[198, 18], 15, 'benchmarking'],
  [[198, 51, 100], 24, 'documentation'],
  [[203, 0, 113], 24, 'documentation'],
  [[224], 4, 'multicast'],
  [[255, 255, 255, 255], 32, 'broadcast'],
  [[240], 4, 'reserved'],
];

const IPV6_BLOCKS: readonly Block[] = [
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 128, 'unspecified'],
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 128, 'loopback'],
  // Every IPv4 address has these other spellings; a range check of the IPv4 kind would not see them.
  [[], 96, 'ipv4_in_ipv6'], // ::a.b.c.d, IPv4-compatible (RFC 4291)
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 96, 'ipv4_in_ipv6'], // IPv4-mapped
  [[0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0], 96, 'ipv4_in_ipv6'], // IPv4-translated (RFC 2765)
  [[0x00, 0x64, 0xff, 0x9b], 32, 'ipv4_in_ipv6'], // NAT64, well-known and local-use (RFC 6052, RFC 8215)
  [[0x20, 0x02], 16, 'ipv4_in_ipv6'], // 6to4
  [[0x20, 0x01, 0, 0], 32, 'ipv4_in_ipv6'], // Teredo
  [[0x20, 0x01, 0, 2, 0, 0], 48, 'benchmarking'],
  [[0x20, 0x01, 0], 23, 'reserved'], // IETF protocol assignments, ORCHID
  [[0x20, 0x01, 0x0d, 0xb8], 32, 'documentation'],
  [[0x3f, 0xff, 0], 20, 'documentation'],
  [[0x26, 0x20, 0x00, 0x4f, 0x80, 0x00], 48, 'reserved'],
  [[0xfd, 0x00, 0x0e, 0xc2], 32, 'cloud_metadata'],
  [[0xfc], 7, 'unique_local'],
  [[0xfe, 0x80], 10, 'link_local'],
  [[0xfe, 0xc0], 10, 'private'], // site-local, deprecated
  [[0xff], 8, 'multicast'],
];

/** The only block that IANA hands out as global unicast. */
const IPV6_GLOBAL_UNICAST: Block = [[0x20], 3, 'reserved'];

/**
 * Parses `a.b.c.d`, four decimal numbers without leading zeros.
 * @returns 4 bytes, or null where the text is not exactly that (hex, octal, short and decimal forms are not).
 */
export function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes[index] = Number(part);
  }
  return bytes;
}

/**
 * Parses an IPv6 address without brackets (RFC 4291 section 2.2), a dotted IPv4 tail included. Zone ids are refused.
 * @returns 16 bytes, or null where the text is no address.
 */
export function parseIpv6(text: string): Uint8Array | null {
  let source = text;
  const lastColon = source.lastIndexOf(':');
  if (lastColon === -1) return null;
  if (source.includes('.')) {
    const tail = parseIpv4(source.slice(lastColon + 1));
    if (tail === null) return null;
    const high = ((tail[0]! << 8) | tail[1]!).toString(16);
    const low = ((tail[2]! << 8) | tail[3]!).toString(16);
    source = `${source.slice(0, lastColon + 1)}${high}:${low}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return null;
  const head = groups(halves[0]!);
  const tail = halves.length === 2 ? groups(halves[1]!) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const bytes = new Uint8Array(16);
  for (const [index, group] of [...head, ...new Array<number>(missing).fill(0), ...tail].entries()) {
    bytes[index * 2] = group >> 8;
    bytes[index * 2 + 1] = group & 0xff;
  }
  return bytes;
}

function groups(text: string): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  if (parts.some((part) => !/^[0-9a-f]{1,4}$/i.test(part))) return null;
  return parts.map((part) => Number.parseInt(part, 16));
}

/**
 * Names the special range an address lies in.
 * @param bytes 4 bytes (IPv4) or 16 bytes (IPv6), network order.
 * @returns null for an address of the public internet.
 */
export function specialRange(bytes: Uint8Array): SpecialRange | null {
  const blocks = bytes.length === 4 ? IPV4_BLOCKS : IPV6_BLOCKS;
  for (const block of blocks) {
    if (inBlock(bytes, block)) return block[2];
  }
  if (bytes.length === 16 && !inBlock(bytes, IPV6_GLOBAL_UNICAST)) return 'reserved';
  return null;
}

/** Bytes of the network that the table leaves out are zero. */
function inBlock(bytes: Uint8Array, [network, prefixBits]: Block): boolean {
  for (let bit = 0; bit < prefixBits; bit += 8) {
    const index = bit >> 3;
    const mask = prefixBits - bit >= 8 ? 0xff : (0xff << (8 - (prefixBits - bit))) & 0xff;
    if ((bytes[index]! & mask) !== ((network[index] ?? 0) & mask)) return false;
  }
  return true;
}
