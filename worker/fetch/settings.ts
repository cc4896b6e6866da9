/** The variables of a deployment that say which URLs may be fetched and called back. Pure. */
import { readList, type Variables } from '../variables.ts';
import { createUrlPolicy, type UrlPolicy } from './url-policy.ts';

/**
 * Reads `FETCH_ALLOW_HOSTS`, `FETCH_DENY_HOSTS`, `FETCH_PORTS`, `FETCH_PROTOCOLS` and `FETCH_EXEMPT_ORIGINS`: lists
 * separated by commas; absent or empty is the default of `createUrlPolicy`.
 * @throws ConfigurationError naming what is wrong.
 */
export function readUrlPolicy(variables: Variables): UrlPolicy {
  const ports = readList(variables, 'FETCH_PORTS').map(Number);
  const protocols = readList(variables, 'FETCH_PROTOCOLS').map((protocol) => `${protocol.replace(/:$/, '')}:`);
  return createUrlPolicy({
    allowHosts: readList(variables, 'FETCH_ALLOW_HOSTS'),
    denyHosts: readList(variables, 'FETCH_DENY_HOSTS'),
    exemptOrigins: readList(variables, 'FETCH_EXEMPT_ORIGINS'),
    ...(ports.length === 0 ? {} : { ports }),
    ...(protocols.length === 0 ? {} : { protocols }),
  });
}
