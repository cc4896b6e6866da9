/** A model store in R2, or any bucket behind the S3 API. Files are downloaded once, verified, and kept in a local cache. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileReference } from '../../model-store/manifest.ts';
import { ModelError } from '../../worker/errors.ts';
import type { StoreConfig } from '../config.ts';
import { type ModelFiles, verifyFile } from './model-files.ts';
import { saveVerified } from './save-verified.ts';
import { signRequest } from './sigv4.ts';

const ATTEMPTS = 3;
const BACKOFF_MS = 500;
/** Limit of one request until its headers are there, and of a listing or manifest as a whole. */
const TIMEOUT_MS = 30_000;
/** Limit of one model file. */
const DOWNLOAD_TIMEOUT_MS = 30 * 60_000;

/** What an S3 store needs from outside. */
export interface S3Hooks {
  readonly fetch: typeof fetch;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Reads the store in a bucket. */
export function s3Files(config: StoreConfig & { kind: 's3' }, hooks: S3Hooks): ModelFiles {
  const address = (key: string) => new URL(`${config.endpoint}/${config.bucket}/${config.prefix}${key}`);

  async function get(what: string, url: URL, timeoutMs: number): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      let reason: string;
      let isPassing = true;
      try {
        const headers = signRequest('GET', url, {}, config, hooks.now());
        const response = await hooks.fetch(url, {
          headers,
          redirect: 'manual',
          signal: AbortSignal.timeout(timeoutMs),
        });
        if (response.ok || response.status === 404) return response;
        reason = `status ${response.status}: ${(await response.text()).slice(0, 200)}`;
        isPassing = response.status >= 500 || response.status === 429;
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
      if (attempt >= ATTEMPTS || !isPassing) {
        throw new ModelError('model_unavailable', `${what}: ${reason}`, { details: { key: what } });
      }
      await hooks.sleep(BACKOFF_MS * 2 ** (attempt - 1));
    }
  }

  async function download(key: string, file: FileReference, target: string): Promise<void> {
    const response = await get(key, address(key), DOWNLOAD_TIMEOUT_MS);
    if (response.status === 404 || response.body === null) {
      throw new ModelError('model_unavailable', `${key}: not in the bucket`, { details: { key } });
    }
    await saveVerified(response, key, file, target);
  }

  return {
    async list(prefix) {
      const names: string[] = [];
      let token: string | null = null;
      do {
        const url = new URL(`${config.endpoint}/${config.bucket}`);
        const full = config.prefix + prefix;
        const query = {
          'list-type': '2',
          delimiter: '/',
          prefix: full,
          ...(token !== null && { 'continuation-token': token }),
        };
        for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
        const page = parseListing(await (await get(`list ${full}`, url, TIMEOUT_MS)).text());
        names.push(...page.keys.map((key) => key.slice(full.length).replace(/\/$/, '')));
        token = page.next;
      } while (token !== null);
      return names.filter((name) => name !== '').sort();
    },
    async readText(key) {
      const response = await get(key, address(key), TIMEOUT_MS);
      return response.status === 404 ? null : await response.text();
    },
    async materialize(prefix, files) {
      const folder = join(config.cacheDirectory, prefix);
      await mkdir(folder, { recursive: true });
      for (const file of files) {
        const target = join(folder, file.path);
        const cached = await verifyFile(target, prefix + file.path, file).then(
          () => true,
          () => false,
        );
        if (!cached) await download(prefix + file.path, file, target);
      }
      return folder;
    },
  };
}

/** Reads one page of ListObjectsV2: keys and common prefixes, and where the next page begins. */
export function parseListing(xml: string): { keys: string[]; next: string | null } {
  const texts = (pattern: RegExp) => Array.from(xml.matchAll(pattern), (match) => unescapeXml(match[1]!));
  const keys = texts(/<Contents>.*?<Key>(.*?)<\/Key>.*?<\/Contents>/gs);
  const prefixes = texts(/<CommonPrefixes>\s*<Prefix>(.*?)<\/Prefix>\s*<\/CommonPrefixes>/gs);
  return {
    keys: [...keys, ...prefixes],
    next: texts(/<NextContinuationToken>(.*?)<\/NextContinuationToken>/gs)[0] ?? null,
  };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name!] ?? whole;
  });
}
