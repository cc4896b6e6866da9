/** Who the console acts for: nobody on a developer's machine, elsewhere an API key that stays in this tab. */

import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useMemo, useState } from 'preact/hooks';
import { BitEdgeClient, BitEdgeError, type Key } from '../../client/index.ts';

/** In session storage: it ends with the tab, and is never part of an address. */
const STORAGE_KEY = 'bit-edge-api-key';

/** What is known of the caller. */
export type Access =
  | { readonly state: 'asking' }
  | { readonly state: 'open'; readonly key: Key }
  | { readonly state: 'closed' }
  | { readonly state: 'failed'; readonly error: unknown };

/** What pages work with. */
export interface Session {
  readonly client: BitEdgeClient;
  readonly access: Access;
  /** True where a key was entered. */
  readonly signedIn: boolean;
  /** @throws BitEdgeError where the key is refused. */
  signIn(apiKey: string): Promise<void>;
  signOut(): void;
  retry(): void;
}

const SessionContext = createContext<Session | null>(null);

/** Gives pages the session. */
export const SessionProvider = SessionContext.Provider;

/** The session; within `SessionProvider` only. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('there is no session here');
  return session;
}

/** A client of this deployment. */
function createClient(apiKey: string | null, send?: typeof fetch): BitEdgeClient {
  return new BitEdgeClient({
    baseUrl: location.origin,
    ...(apiKey !== null && { apiKey }),
    ...(send !== undefined && { fetch: send }),
  });
}

/** A client that says what else an answer came with: its headers, and how long it took. */
export function observedClient(observe: (response: Response, elapsedMs: number) => void): BitEdgeClient {
  return createClient(storedKey(), async (input, init) => {
    const start = performance.now();
    const response = await fetch(input, init);
    observe(response, performance.now() - start);
    return response;
  });
}

/** Sends any request to this deployment with the key of the tab; the caller reads the response, an error too. */
export function sendRequest(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = storedKey();
  if (key !== null) headers.set('authorization', `Bearer ${key}`);
  return fetch(path, { ...init, headers });
}

/** Makes the session of this tab. */
export function useNewSession(): Session {
  const [apiKey, setApiKey] = useState(storedKey);
  const [access, setAccess] = useState<Access>({ state: 'asking' });
  const client = useMemo(() => createClient(apiKey), [apiKey]);
  const ask = useCallback(() => {
    setAccess({ state: 'asking' });
    client.getKey().then(
      (key) => setAccess({ state: 'open', key }),
      (error: unknown) => setAccess(isRefused(error) ? { state: 'closed' } : { state: 'failed', error }),
    );
  }, [client]);
  useEffect(ask, [ask]);
  return {
    client,
    access,
    signedIn: apiKey !== null,
    async signIn(given) {
      await createClient(given).getKey();
      sessionStorage.setItem(STORAGE_KEY, given);
      setApiKey(given);
    },
    signOut() {
      sessionStorage.removeItem(STORAGE_KEY);
      setApiKey(null);
    },
    retry: ask,
  };
}

function storedKey(): string | null {
  return sessionStorage.getItem(STORAGE_KEY);
}

function isRefused(error: unknown): boolean {
  return error instanceof BitEdgeError && error.problem.status === 401;
}
