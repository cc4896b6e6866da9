/**
 * A server that answers as Hugging Face's hub does, and beside it (another origin) the CDN that large files redirect to.
 * Shapes: https://huggingface.co/docs/hub/api and what `curl -I https://huggingface.co/{id}/resolve/main/{file}` shows.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** One request that came. */
export interface SeenRequest {
  readonly host: 'hub' | 'cdn';
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** What the servers do; tests change it as they go. */
export interface HubBehaviour {
  /** Files by repository and name; the large ones are served by the CDN. */
  readonly repositories: Record<string, Record<string, Uint8Array>>;
  /** Old names of repositories. */
  readonly renamed: Record<string, string>;
  /** The token that private repositories want. */
  token: string | null;
  readonly isPrivate: Set<string>;
  readonly isGated: Set<string>;
  /** The CDN breaks the connection after so many bytes, this many times. */
  breakAfterBytes: number;
  breaksLeft: number;
  /** So many requests to the hub are answered 503 first. */
  busyLeft: number;
  /** The CDN serves these bytes instead. */
  corrupt: boolean;
  /** The CDN ignores Range. */
  noRanges: boolean;
}

export interface HubServer {
  readonly endpoint: string;
  readonly behaviour: HubBehaviour;
  readonly seen: SeenRequest[];
  close(): Promise<void>;
}

const LARGE_BYTES = 10_000;

/** Starts both servers on free ports. */
export async function startHub(): Promise<HubServer> {
  const behaviour: HubBehaviour = {
    repositories: {},
    renamed: {},
    token: null,
    isPrivate: new Set(),
    isGated: new Set(),
    breakAfterBytes: Number.POSITIVE_INFINITY,
    breaksLeft: 0,
    busyLeft: 0,
    corrupt: false,
    noRanges: false,
  };
  const seen: SeenRequest[] = [];
  const note = (host: SeenRequest['host'], request: IncomingMessage): void => {
    const { authorization, range } = request.headers;
    seen.push({ host, method: request.method ?? '', path: request.url ?? '', authorization, range });
  };
  const cdn = createServer((request, response) => {
    note('cdn', request);
    serveLarge(behaviour, request, response);
  });
  const cdnUrl = await listen(cdn);
  const hub = createServer((request, response) => {
    note('hub', request);
    serveHub(behaviour, cdnUrl, request, response);
  });
  const endpoint = await listen(hub);
  return {
    endpoint,
    behaviour,
    seen,
    close: async () => {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'x-error-code': code, 'content-type': 'text/plain' }).end(code);
}

function serveHub(behaviour: HubBehaviour, cdnUrl: string, request: IncomingMessage, response: ServerResponse): void {
  if (behaviour.busyLeft > 0) {
    behaviour.busyLeft--;
    response.writeHead(503, { 'retry-after': '0' }).end();
    return;
  }
  const match = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(request.url ?? '');
  const [id, revision, file] = [match?.[1] ?? '', match?.[2] ?? '', match?.[3] ?? ''];
  const renamed = behaviour.renamed[id];
  if (renamed !== undefined) {
    response.writeHead(307, { location: `/${renamed}/resolve/${revision}/${file}` }).end();
    return;
  }
  const files = behaviour.repositories[id];
  const allowed = request.headers.authorization === `Bearer ${behaviour.token}`;
  const bytes = files?.[file];
  if (files === undefined || (behaviour.isPrivate.has(id) && !allowed)) refuse(response, 401, 'RepoNotFound');
  else if (behaviour.isGated.has(id) && !allowed) refuse(response, 403, 'GatedRepo');
  else if (revision !== 'main' && revision !== COMMIT) refuse(response, 404, 'RevisionNotFound');
  else if (bytes === undefined) refuse(response, 404, 'EntryNotFound');
  else serveFile(bytes, `${cdnUrl}/${id}/${file}?signature=abc`, request, response);
}

/** A small file itself; of a large one, what it is and where it lies. */
function serveFile(bytes: Uint8Array, cdnUrl: string, request: IncomingMessage, response: ServerResponse): void {
  if (bytes.length < LARGE_BYTES) {
    const blob = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    response.writeHead(200, { 'x-repo-commit': COMMIT, etag: `"${blob}"`, 'content-length': bytes.length });
    response.end(request.method === 'HEAD' ? undefined : bytes);
    return;
  }
  response.writeHead(302, {
    'x-repo-commit': COMMIT,
    'x-linked-size': bytes.length,
    'x-linked-etag': `"${createHash('sha256').update(bytes).digest('hex')}"`,
    location: cdnUrl,
  });
  response.end();
}

function serveLarge(behaviour: HubBehaviour, request: IncomingMessage, response: ServerResponse): void {
  const [, owner, repository, file] = (request.url ?? '').split('?')[0]!.split('/');
  let bytes = behaviour.repositories[`${owner}/${repository}`]![file!]!;
  if (behaviour.corrupt) bytes = bytes.map((byte) => byte ^ 1);
  const start = behaviour.noRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const headers = start === 0 ? {} : { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
  const rest = bytes.subarray(start);
  response.writeHead(start === 0 ? 200 : 206, { ...headers, 'content-length': rest.length });
  if (behaviour.breaksLeft > 0 && rest.length > behaviour.breakAfterBytes) {
    behaviour.breaksLeft--;
    // The pause lets what was written arrive: a reset overtakes bytes that are still on their way.
    response.write(rest.subarray(0, behaviour.breakAfterBytes), () => setTimeout(() => response.destroy(), 200));
    return;
  }
  response.end(rest);
}
