/** Result lines of a job in the order of their items, a page at a time, from parts in R2 and from what is not there yet. */
import { JobError } from '../errors.ts';
import type { ResultsPage } from './bulk-job.ts';

/** Chunks that are asked of the job at a time. */
const CHUNKS_PER_CALL = 8;

/** A page ends with the chunk that takes it past this many characters, whatever its limit of lines. */
const MAX_PAGE_CHARACTERS = 8 * 1024 * 1024;

/** The job that is asked: its Durable Object. */
export interface ResultSource {
  results(fromChunk: number, maxChunks: number): Promise<ResultsPage>;
}

/** A page of results. */
export interface ResultLines {
  /** NDJSON. */
  readonly body: ReadableStream<Uint8Array>;
  /** Where the next page begins; null where the job is over and the page ends with its last line. */
  readonly next: string | null;
}

/**
 * At most `limit` lines from `cursor` (`chunk-line`) on. A page of a job that runs ends before the first chunk that has not ended,
 * and its cursor stays there: lines of such a chunk still come in any order, so a reader who counted them would miss some.
 * @throws JobError `job_state_conflict` where a part is gone from the bucket.
 */
export async function resultLines(
  job: ResultSource,
  bucket: R2Bucket,
  cursor: string,
  limit: number,
): Promise<ResultLines> {
  const [startChunk = 0, startLine = 0] = cursor.split('-').map(Number);
  const lines: string[] = [];
  let chunk = startChunk;
  let skip = startLine;
  let next: string | null = null;
  let characters = 0;
  pages: for (;;) {
    const page = await job.results(chunk, CHUNKS_PER_CALL);
    for (const each of page.chunks) {
      if (!each.ended) {
        next = `${each.chunk}-${skip}`;
        break pages;
      }
      const all = each.part === null ? each.lines : await readPart(bucket, each.part);
      const rest = all.slice(skip);
      const room = limit - lines.length;
      for (const line of rest.slice(0, room)) {
        lines.push(line);
        characters += line.length;
      }
      if (rest.length > room || (rest.length === room && each !== page.chunks.at(-1))) {
        next = rest.length > room ? `${each.chunk}-${skip + room}` : `${each.chunk + 1}-0`;
        break pages;
      }
      skip = 0;
      chunk = each.chunk + 1;
    }
    if (page.next === null) {
      if (!page.over) next = `${chunk}-${skip}`;
      break;
    }
    chunk = page.next;
    if (lines.length >= limit || characters >= MAX_PAGE_CHARACTERS) {
      next = `${chunk}-0`;
      break;
    }
  }
  const text = lines.map((line) => `${line}\n`).join('');
  return { body: new Blob([text]).stream(), next };
}

async function readPart(bucket: R2Bucket, key: string): Promise<string[]> {
  const object = await bucket.get(key);
  if (object === null) throw new JobError('job_state_conflict', `the results ${key} are gone`);
  return (await object.text()).split('\n').filter((line) => line !== '');
}
