/** Result lines of a job in the order of their items, a page at a time, from parts in R2 and from what is not there yet. */
import type { BulkJob } from './bulk-job.ts';

/** Chunks that are asked of the job at a time. */
const CHUNKS_PER_CALL = 32;

/** A page of results. */
export interface ResultLines {
  /** NDJSON. */
  readonly body: ReadableStream<Uint8Array>;
  /** Where the next page begins; null where the page ends with the job's last chunk. */
  readonly next: string | null;
}

/**
 * At most `limit` lines from `cursor` (`chunk-line`) on. A job that runs gives what is there: a chunk that is not finished shows
 * the lines it has, and the cursor stays before it, so that a reader who comes again misses nothing.
 */
export async function resultLines(
  job: DurableObjectStub<BulkJob>,
  bucket: R2Bucket,
  cursor: string,
  limit: number,
): Promise<ResultLines> {
  const [startChunk = 0, startLine = 0] = cursor.split('-').map(Number);
  const lines: string[] = [];
  let chunk = startChunk;
  let skip = startLine;
  let next: string | null = null;
  pages: for (;;) {
    const page = await job.results(chunk, CHUNKS_PER_CALL);
    for (const each of page.chunks) {
      const all = each.part === null ? each.lines : await readPart(bucket, each.part);
      const rest = all.slice(skip);
      const room = limit - lines.length;
      lines.push(...rest.slice(0, room));
      if (rest.length > room || (rest.length === room && each !== page.chunks.at(-1))) {
        next = rest.length > room ? `${each.chunk}-${skip + room}` : `${each.chunk + 1}-0`;
        break pages;
      }
      skip = 0;
    }
    if (page.next === null) break;
    chunk = page.next;
    if (lines.length >= limit) {
      next = `${chunk}-0`;
      break;
    }
  }
  const text = lines.map((line) => `${line}\n`).join('');
  return { body: new Blob([text]).stream(), next };
}

async function readPart(bucket: R2Bucket, key: string): Promise<string[]> {
  const object = await bucket.get(key);
  return object === null ? [] : (await object.text()).split('\n').filter((line) => line !== '');
}
