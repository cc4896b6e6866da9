/**
 * Which URLs this worker may fetch or call back. Pure: no I/O, no clock, no DNS.
 *
 * A URL is judged twice: as the text that was sent, because the WHATWG parser repairs what an attacker wrote on purpose
 * (backslashes, tabs, decimal and octal hosts, percent-encoded and full-width characters), and as the parsed URL,
 * because that is what is fetched. Only a text whose authority is already in canonical form passes.
 */
import { ConfigurationError, FetchError } from '../errors.ts';
import { type HostPattern, type HostRefusal, matchesHost, parseHostPattern, refuseHostName } from './host-rules.ts';
import { parseIpv4, parseIpv6, type SpecialRange, specialRange } from './ip-address.ts';

/** Default for `maxLength`: what common servers accept as a request line. */
export const MAX_URL_LENGTH = 2048;

/** Why a URL is refused; `details.reason` of the error. */
export type UrlRefusal =
  | HostRefusal
  | SpecialRange
  | 'too_long'
  | 'malformed'
  | 'control_or_space'
  | 'backslash'
  | 'scheme'
  | 'credentials'
  | 'percent_encoded_host'
  | 'non_ascii_host'
  | 'noncanonical_host'
  | 'trailing_dot'
  | 'zone_id'
  | 'port'
  | 'denied_host'
  | 'host_not_in_list';

/** What a deployment says about URLs; every field has a safe default. */
export interface UrlPolicyOptions {
  /** Default `https:` alone. */
  readonly protocols?: readonly string[];
  /** Default 443 alone (and 80 where `http:` is allowed). */
  readonly ports?: readonly number[];
  /** Empty or absent: every public host. Patterns `example.com` and `*.example.com`. */
  readonly allowHosts?: readonly string[];
  /** Wins over `allowHosts`. */
  readonly denyHosts?: readonly string[];
  /**
   * Exact origins (`http://127.0.0.1:9000`) to which scheme, port, address and list rules do not apply.
   * For tests and local development: an origin named here is open to everyone who may send us a URL.
   */
  readonly exemptOrigins?: readonly string[];
  /** Characters; default 2048. */
  readonly maxLength?: number;
}

/** A checked policy. */
export interface UrlPolicy {
  readonly protocols: ReadonlySet<string>;
  readonly ports: ReadonlySet<number>;
  readonly allowHosts: readonly HostPattern[];
  readonly denyHosts: readonly HostPattern[];
  readonly exemptOrigins: ReadonlySet<string>;
  readonly maxLength: number;
}

/**
 * Checks a deployment's options.
 * @throws ConfigurationError naming the protocol, port, pattern or origin that is wrong.
 */
export function createUrlPolicy(options: UrlPolicyOptions = {}): UrlPolicy {
  const protocols = new Set(options.protocols ?? ['https:']);
  for (const protocol of protocols) {
    if (protocol !== 'https:' && protocol !== 'http:') {
      throw new ConfigurationError(`protocol "${protocol}" cannot be allowed: expected https: or http:`);
    }
  }
  const ports = new Set(options.ports ?? (protocols.has('http:') ? [443, 80] : [443]));
  for (const port of ports) {
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new ConfigurationError(`port ${port} cannot be allowed: expected 1 to 65535`);
    }
  }
  const exemptOrigins = new Set<string>();
  for (const origin of options.exemptOrigins ?? []) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new ConfigurationError(`"${origin}" is not an origin: expected scheme://host[:port]`);
    }
    exemptOrigins.add(origin);
  }
  return {
    protocols,
    ports,
    allowHosts: (options.allowHosts ?? []).map(parseHostPattern),
    denyHosts: (options.denyHosts ?? []).map(parseHostPattern),
    exemptOrigins,
    maxLength: options.maxLength ?? MAX_URL_LENGTH,
  };
}

/** A policy as JSON. */
export interface UrlRules {
  readonly protocols: readonly string[];
  readonly ports: readonly number[];
  readonly allow_hosts: readonly string[];
  readonly deny_hosts: readonly string[];
  readonly exempt_origins: readonly string[];
}

/** A policy's JSON form. */
export function describeUrlPolicy(policy: UrlPolicy): UrlRules {
  const pattern = ({ host, below }: HostPattern): string => (below ? `*.${host}` : host);
  return {
    protocols: [...policy.protocols],
    ports: [...policy.ports],
    allow_hosts: policy.allowHosts.map(pattern),
    deny_hosts: policy.denyHosts.map(pattern),
    exempt_origins: [...policy.exemptOrigins],
  };
}

/** The policy of a JSON form. @throws ConfigurationError as `createUrlPolicy`. */
export function urlPolicyOf(rules: UrlRules): UrlPolicy {
  return createUrlPolicy({
    protocols: rules.protocols,
    ports: rules.ports,
    allowHosts: rules.allow_hosts,
    denyHosts: rules.deny_hosts,
    exemptOrigins: rules.exempt_origins,
  });
}

/**
 * Parses and judges an absolute URL.
 * @returns The parsed URL without its fragment; fetch its `href`, never the text.
 * @throws FetchError `url_not_allowed` with `details.reason`, a `UrlRefusal`.
 */
export function judgeUrl(text: string, policy: UrlPolicy): URL {
  checkCharacters(text, policy);
  const authority = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(text);
  if (authority === null) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1];
    if (scheme === undefined) throw refuse('malformed', 'it is not absolute');
    if (!policy.protocols.has(`${scheme.toLowerCase()}:`)) throw refuse('scheme', `scheme "${scheme}" is not allowed`);
    throw refuse('malformed', `"${scheme}:" must be followed by //`);
  }
  const scheme = `${authority[1]!.toLowerCase()}:`;
  if (scheme !== 'https:' && scheme !== 'http:') throw refuse('scheme', `scheme "${scheme}" is not allowed`);
  const { host, port } = splitAuthority(authority[2]!);

  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse('malformed', `host "${host}" does not parse`);
  }
  url.hash = '';
  // Credentials were refused as text; a parser that saw any would disagree with us about where the host begins.
  if (url.username !== '' || url.password !== '') throw refuse('credentials', 'it carries credentials');
  checkCanonicalHost(host, url.hostname);

  if (policy.exemptOrigins.has(url.origin)) return url;
  if (!policy.protocols.has(url.protocol)) throw refuse('scheme', `scheme "${url.protocol}" is not allowed`);
  const number = port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(port);
  if (!policy.ports.has(number))
    throw refuse('port', `port ${number} is not in the list ${[...policy.ports].join(', ')}`);
  judgeHost(url.hostname, policy);
  return url;
}

/**
 * Judges where a redirect leads.
 * @param location The `Location` header as sent: absolute, `//host/path`, or relative to `base`.
 * @throws FetchError `url_not_allowed`.
 */
export function judgeRedirect(location: string, base: URL, policy: UrlPolicy): URL {
  checkCharacters(location, policy);
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) return judgeUrl(location, policy);
  if (location.startsWith('//')) return judgeUrl(`${base.protocol}${location}`, policy);
  return judgeUrl(new URL(location, base).href, policy);
}

/**
 * Judges an address that a name resolved to.
 * @throws FetchError `url_not_allowed` where it is not an address of the public internet, or no address.
 */
export function judgeResolvedAddress(address: string, host: string): void {
  const bytes = parseIpv4(address) ?? parseIpv6(address);
  if (bytes === null)
    throw refuse('malformed_host', `host "${host}" resolves to "${address}", which is not an address`);
  const range = specialRange(bytes);
  if (range !== null) throw refuse(range, `host "${host}" resolves to ${address} (${range})`);
}

function checkCharacters(text: string, policy: UrlPolicy): void {
  if (text.length > policy.maxLength) {
    throw refuse('too_long', `it has ${text.length} characters; limit ${policy.maxLength}`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/.test(text)) {
    throw refuse('control_or_space', 'it holds a space or a control character; percent-encode it');
  }
  if (text.includes('\\')) throw refuse('backslash', 'it holds a backslash');
}

function splitAuthority(authority: string): { host: string; port: string } {
  if (authority === '') throw refuse('malformed', 'it has no host');
  if (authority.includes('@')) throw refuse('credentials', 'it carries credentials');
  if (authority.includes('%')) {
    if (authority.startsWith('[')) throw refuse('zone_id', `address "${authority}" carries a zone id`);
    throw refuse('percent_encoded_host', `host "${authority}" is percent-encoded`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  if (/[^\u0000-\u007f]/.test(authority)) {
    throw refuse('non_ascii_host', 'its host is not ASCII; write an international name in its xn-- form');
  }
  const parts = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/.exec(authority);
  if (parts === null) throw refuse('malformed', `"${authority}" is not a host and port`);
  const [, host, port] = parts;
  if (port !== undefined && !/^[1-9][0-9]{0,4}$/.test(port)) throw refuse('port', `"${port}" is not a port`);
  if (host === undefined || host === '') throw refuse('malformed', 'it has no host');
  if (host.endsWith('.')) throw refuse('trailing_dot', `host "${host}" ends in a dot`);
  return { host: host.toLowerCase(), port: port ?? '' };
}

/** An IPv6 address has many honest spellings, so only names and IPv4 addresses must be spelled as the parser does. */
function checkCanonicalHost(host: string, parsed: string): void {
  if (host.startsWith('[') && parsed.startsWith('[')) return;
  if (host !== parsed) throw refuse('noncanonical_host', `host "${host}" is another spelling of ${parsed}`);
}

function judgeHost(host: string, policy: UrlPolicy): void {
  const bytes = host.startsWith('[') ? parseIpv6(host.slice(1, -1)) : parseIpv4(host);
  if (bytes !== null) {
    const range = specialRange(bytes);
    if (range !== null) throw refuse(range, `address ${host} is not on the public internet (${range})`);
  } else {
    const refusal = refuseHostName(host);
    if (refusal !== null) throw refuse(refusal, `host "${host}" is not allowed (${refusal})`);
  }
  if (matchesHost(host, policy.denyHosts)) throw refuse('denied_host', `host "${host}" is on the deny list`);
  if (policy.allowHosts.length > 0 && !matchesHost(host, policy.allowHosts)) {
    throw refuse('host_not_in_list', `host "${host}" is not on the allow list`);
  }
}

/** Never repeats the whole URL: it may carry a signed query. */
function refuse(reason: UrlRefusal, why: string): FetchError {
  return new FetchError('url_not_allowed', `URL is not allowed: ${why.slice(0, 400)}`, { details: { reason } });
}
