/**
 * A backup as a folder: `objects/<sha256>` holds each content once, `backup.json` says which object of which bucket it is. That file is
 * written last: a backup that was broken off is the one before, or none.
 */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RequestError } from '../../../worker/errors.ts';
import { sha256OfBytes } from '../files/hash.ts';

/** Buckets that are backed up: models, aliases, policies, keys and heads; manifests and results of jobs. */
export const BACKUP_BUCKETS = ['MODELS', 'JOBS'] as const;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const objectSchema = z.object({ key: z.string().min(1), size: z.int().nonnegative(), sha256, etag: z.string() });
const indexSchema = z.object({
  schema_version: z.literal(1),
  created_at: z.string(),
  buckets: z.object({ MODELS: z.array(objectSchema), JOBS: z.array(objectSchema) }),
  /** Files beside `backup.json` that cannot be put back: what Durable Objects know, as their API says it. */
  records: z.array(z.string()),
});

/** What `backup.json` holds. */
export type BackupIndex = z.infer<typeof indexSchema>;
export type BackedUpObject = z.infer<typeof objectSchema>;

/** One backup on disk. */
export class BackupFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The index; null where there is no backup yet. @throws RequestError where the file is something else. */
  async readIndex(): Promise<BackupIndex | null> {
    const path = join(this.#path, 'backup.json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
    try {
      return indexSchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new RequestError('invalid_body', `${path} is not the index of a backup of this release`, { cause });
    }
  }

  /** Makes this the backup. */
  async writeIndex(index: BackupIndex): Promise<void> {
    await this.writeFile('backup.json', `${JSON.stringify(index, null, 1)}\n`);
  }

  /** Writes a file beside the index, whole or not at all. */
  async writeFile(name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.#path, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(`${path}.tmp`, content);
    await rename(`${path}.tmp`, path);
  }

  /** Keeps a content. @returns its SHA-256. */
  async keep(bytes: Uint8Array): Promise<string> {
    const hash = sha256OfBytes(bytes);
    if (!(await this.has(hash, bytes.byteLength))) await this.writeFile(join('objects', hash), bytes);
    return hash;
  }

  /** Whether a content is kept, by its size; `read` looks at its hash. */
  async has(hash: string, size: number): Promise<boolean> {
    return stat(join(this.#path, 'objects', hash)).then(
      (found) => found.size === size,
      () => false,
    );
  }

  /** A content. @throws RequestError where it is not there, or not what it was. */
  async read({ key, sha256: hash }: BackedUpObject): Promise<Uint8Array> {
    const bytes = await readFile(join(this.#path, 'objects', hash)).catch((cause: unknown) => {
      throw new RequestError('invalid_body', `the backup lacks objects/${hash} of ${key}`, { cause });
    });
    if (sha256OfBytes(bytes) === hash) return bytes;
    throw new RequestError('invalid_body', `objects/${hash} of ${key} is damaged: its SHA-256 is another`);
  }
}
