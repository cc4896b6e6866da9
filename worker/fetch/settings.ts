/** The variables of a deployment that say which URLs may be fetched and called back. Pure. */
import { ConfigurationError } from '../errors.ts';
import { createUrlPolicy, type UrlPolicy } from './url-policy.ts';

/**
 * Reads `FETCH_ALLOW_HOSTS`, `FETCH_DENY_HOSTS`, `FETCH_PORTS`, `FETCH_PROTOCOLS` and `FETCH_EXEMPT_ORIGINS`: lists
 * separated by commas; absent or empty is the default of `createUrlPolicy`.
 * @throws ConfigurationError naming what is wrong.
 */
export function readUrlPolicy(variables: Readonly<Partial<Record<string, unknown>>>): UrlPolicy {
  const ports = list(variables.FETCH_PORTS, 'FETCH_PORTS').map(Number);
  const protocols = list(variables.FETCH_PROTOCOLS, 'FETCH_PROTOCOLS').map(
    (protocol) => `${protocol.replace(/:$/, '')}:`,
  );
  return createUrlPolicy({
    allowHosts: list(variables.FETCH_ALLOW_HOSTS, 'FETCH_ALLOW_HOSTS'),
    denyHosts: list(variables.FETCH_DENY_HOSTS, 'FETCH_DENY_HOSTS'),
    exemptOrigins: list(variables.FETCH_EXEMPT_ORIGINS, 'FETCH_EXEMPT_ORIGINS'),
    ...(ports.length === 0 ? {} : { ports }),
    ...(protocols.length === 0 ? {} : { protocols }),
  });
}

function list(value: unknown, variable: string): string[] {
  if (value === undefined || value === '') return [];
  if (typeof value !== 'string') throw new ConfigurationError(`${variable} must be a text: a list separated by commas`);
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
