/**
 * A fetch whose connections go to addresses of the public internet alone: every address that a name resolves to is judged as the
 * connection is made, so that a name cannot resolve to one address when it is judged and to another when it is used. Node only.
 */
import { lookup as resolveHost } from 'node:dns';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import type { FetchFunction } from '../../worker/fetch/safe-fetch.ts';
import { judgeResolvedAddress, type UrlPolicy } from '../../worker/fetch/url-policy.ts';

/** Statuses that have no body. */
const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** Makes the fetch function of a policy, for `safeFetch`. Redirects are not followed, bodies not decompressed. */
export function guardedFetch(
  policy: UrlPolicy,
  resolve: LookupFunction = resolveHost as LookupFunction,
): FetchFunction {
  return (href, { headers, signal }) => {
    const url = new URL(href);
    const lookup = policy.exemptOrigins.has(url.origin) ? resolve : judgedLookup(resolve);
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((done, fail) => {
      const sent = request(
        url,
        { headers: { ...headers, 'accept-encoding': 'identity' }, signal, lookup },
        (incoming) => {
          const answered = new Headers();
          for (const [name, value] of Object.entries(incoming.headers)) answered.set(name, String(value));
          const status = incoming.statusCode ?? 502;
          const body = NO_BODY.has(status) ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
          done(new Response(body, { status, headers: answered }));
        },
      );
      sent.on('error', fail);
      sent.end();
    });
  };
}

/** Every address must be public: one that is not fails the connection. */
function judgedLookup(resolve: LookupFunction): LookupFunction {
  return (host, options, answer) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return answer(error, []);
      const found = Array.isArray(addresses) ? addresses : [];
      try {
        for (const { address } of found) judgeResolvedAddress(address, host);
      } catch (refused) {
        return answer(refused instanceof Error ? refused : new Error(String(refused)), []);
      }
      if (options.all === true) answer(null, found);
      else answer(null, found[0]?.address ?? '', found[0]?.family);
    });
  };
}
