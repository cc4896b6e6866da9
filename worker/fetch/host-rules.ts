/**
 * Rules about host names: which are never public, and patterns of allow and deny lists. Pure: no I/O, no DNS.
 */
import { ConfigurationError } from '../errors.ts';

/** Longest host name in characters (RFC 1035 section 2.3.4, without the root dot). */
const MAX_HOST_LENGTH = 253;

const LABEL_PATTERN = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Suffixes that name nothing on the public internet: RFC 6761, 6762, 7686, 8375, 9476, ICANN's `.internal`,
 * and the names that home and office routers hand out.
 */
const PRIVATE_SUFFIXES: ReadonlySet<string> = new Set([
  'alt',
  'arpa',
  'corp',
  'example',
  'home',
  'i2p',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'mail',
  'onion',
  'private',
  'svc',
  'test',
  'workgroup',
]);

/**
 * Public names that answer with addresses of the caller's choice, or with loopback, or with a cloud's metadata service.
 * On Cloudflare they lead nowhere; under `wrangler dev` and self-hosted workerd they would reach the local network.
 */
const REBINDING_SUFFIXES: readonly string[] = [
  '1u.ms',
  'backname.io',
  'ddev.site',
  'lacolhost.com',
  'lndo.site',
  'local-ip.co',
  'local-ip.sh',
  'local.gd',
  'localhost.direct',
  'localtest.me',
  'lvh.me',
  'metadata.packet.net',
  'metadata.platformequinix.com',
  'metadata.tencentyun.com',
  'nip.io',
  'rbndr.us',
  'rebind.it',
  'sslip.io',
  'traefik.me',
  'vcap.me',
  'xip.io',
];

/** Why a host name is refused whatever the lists say. */
export type HostRefusal = 'malformed_host' | 'single_label_host' | 'private_name' | 'rebinding_name';

/**
 * Judges a host name that is not an IP literal.
 * @param host Lower case ASCII; international names in their `xn--` form.
 * @returns null where nothing speaks against it.
 */
export function refuseHostName(host: string): HostRefusal | null {
  if (host.length > MAX_HOST_LENGTH) return 'malformed_host';
  const labels = host.split('.');
  if (!labels.every((label) => LABEL_PATTERN.test(label))) return 'malformed_host';
  const top = labels.at(-1)!;
  if (PRIVATE_SUFFIXES.has(top)) return 'private_name';
  if (labels.length === 1) return 'single_label_host';
  // A last label of digits, or 0x..., is a number to some resolver.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(top)) return 'malformed_host';
  if (REBINDING_SUFFIXES.some((suffix) => isSuffix(host, suffix))) return 'rebinding_name';
  return null;
}

/** A checked pattern: one host, or all hosts below one. */
export interface HostPattern {
  readonly host: string;
  /** True for `*.host`: any depth below it, not the host itself. */
  readonly below: boolean;
}

/**
 * Parses `images.example.com`, `*.example.com`, an IPv4 address or a bracketed IPv6 address.
 * @throws ConfigurationError naming the pattern.
 */
export function parseHostPattern(text: string): HostPattern {
  const pattern = text.trim().toLowerCase();
  const below = pattern.startsWith('*.');
  const host = below ? pattern.slice(2) : pattern;
  let canonical: string;
  try {
    canonical = new URL(`https://${host}/`).hostname;
  } catch {
    canonical = '';
  }
  const isAddress = host.startsWith('[') || /^[0-9.]+$/.test(host);
  const isName = !isAddress && host.split('.').every((label) => LABEL_PATTERN.test(label));
  if (canonical !== host || (below ? !isName : !isName && !isAddress)) {
    throw new ConfigurationError(`"${text}" is not a host pattern: expected example.com or *.example.com`, {
      details: { pattern: text.slice(0, 300) },
    });
  }
  return { host, below };
}

/** True where any pattern covers the host (lower case, as `URL.hostname` gives it). */
export function matchesHost(host: string, patterns: readonly HostPattern[]): boolean {
  return patterns.some((pattern) => (pattern.below ? host.endsWith(`.${pattern.host}`) : host === pattern.host));
}

function isSuffix(host: string, suffix: string): boolean {
  return host === suffix || host.endsWith(`.${suffix}`);
}
