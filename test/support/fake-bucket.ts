/** A bucket behind the S3 API on a local port: ListObjectsV2, two names a page, and GetObject; signatures are checked. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Credentials, signRequest } from '../../gpu-backend/store/sigv4.ts';

const PAGE_SIZE = 2;

/** A running bucket. */
export interface FakeBucket {
  readonly endpoint: string;
  /** Paths of all requests so far. */
  readonly requests: string[];
  /** Answers so many of the next requests with 503. */
  failNext(count: number): void;
  close(): Promise<void>;
}

/** Serves `objects` as the bucket `name` to whoever signs with `credentials`. */
export async function startFakeBucket(
  name: string,
  objects: ReadonlyMap<string, Buffer>,
  credentials: Credentials,
): Promise<FakeBucket> {
  const requests: string[] = [];
  let failures = 0;
  let endpoint = '';

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, endpoint);
    requests.push(url.pathname);
    if (failures > 0) {
      failures--;
      response.writeHead(503).end('<Error/>');
      return;
    }
    const stamp = String(request.headers['x-amz-date']);
    const date = new Date(stamp.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
    const expected = signRequest('GET', url, {}, credentials, date).authorization;
    if (request.headers.authorization !== expected) {
      response.writeHead(403).end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
      return;
    }
    if (url.pathname === `/${name}`) {
      response.end(listing(url.searchParams.get('prefix')!, Number(url.searchParams.get('continuation-token') ?? 0)));
      return;
    }
    const object = objects.get(decodeURIComponent(url.pathname.slice(name.length + 2)));
    if (object === undefined) response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
    else response.end(object);
  }

  function listing(prefix: string, start: number): string {
    const below = [...objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    const names = [...new Set(below.map((key) => key.replace(/\/.*/s, '/')))].sort();
    const entries = names.slice(start, start + PAGE_SIZE).map((each) => {
      const key = `${prefix}${each}`.replaceAll('&', '&amp;');
      return each.endsWith('/')
        ? `<CommonPrefixes><Prefix>${key}</Prefix></CommonPrefixes>`
        : `<Contents><Key>${key}</Key><Size>1</Size></Contents>`;
    });
    const end = start + PAGE_SIZE;
    const next = end < names.length ? `<NextContinuationToken>${end}</NextContinuationToken>` : '';
    return `<?xml version="1.0"?><ListBucketResult><Prefix>${prefix}</Prefix>${entries.join('')}${next}</ListBucketResult>`;
  }

  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    requests,
    failNext: (count) => {
      failures = count;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
