/**
 * Reads a job's inputs step by step, each from where the last one ended, so that a job of a million lines needs little memory and
 * a restart costs one step. Buckets are passed in; what was read is handed back, and kept by the job together with the cursor.
 */
import { JobError } from '../errors.ts';
import { MAX_LINE_LENGTH, parseManifestLine } from './manifest-lines.ts';
import type { InputSource, ParsedInput } from './records.ts';

/** Bytes of a manifest that are read in one step. */
const STEP_BYTES = 1024 * 1024;

/** Objects of a prefix that are listed in one step; R2 gives 1000 at most. */
const STEP_OBJECTS = 1000;

/** Where reading goes on: a byte of a manifest, or a page of a listing. */
export type IngestCursor = { readonly offset: number } | { readonly page: string } | null;

/** What one step gave. */
export interface IngestStep {
  readonly inputs: readonly ParsedInput[];
  readonly next: IngestCursor;
  readonly done: boolean;
}

/** The buckets that inputs come from. */
export interface IngestBuckets {
  readonly jobs: R2Bucket;
  /** A bucket that the deployment reads images from, by its name. */
  named(name: string): R2Bucket;
}

/**
 * Reads on from `cursor`.
 * @throws JobError `job_state_conflict` where the manifest is gone or shorter than before.
 */
export async function ingestStep(
  source: InputSource,
  cursor: IngestCursor,
  buckets: IngestBuckets,
): Promise<IngestStep> {
  if (source.kind === 'prefix') {
    const page = cursor !== null && 'page' in cursor ? cursor.page : undefined;
    const listing = await buckets.named(source.bucket).list({
      prefix: source.prefix,
      limit: STEP_OBJECTS,
      ...(page === undefined ? {} : { cursor: page }),
    });
    const inputs = listing.objects
      .filter(({ key }) => !key.endsWith('/'))
      .map(({ key }) => ({ input: { r2: { bucket: source.bucket, key } } }));
    return listing.truncated
      ? { inputs, next: { page: listing.cursor }, done: false }
      : { inputs, next: null, done: true };
  }
  const bucket = source.kind === 'stored' ? buckets.jobs : buckets.named(source.bucket);
  const offset = cursor !== null && 'offset' in cursor ? cursor.offset : 0;
  const object = await bucket.get(source.key, { range: { offset, length: STEP_BYTES } });
  if (object === null) throw new JobError('job_state_conflict', `the manifest ${source.key} is gone`);
  const bytes = new Uint8Array(await object.arrayBuffer());
  const isLast = offset + bytes.byteLength >= object.size;
  const end = isLast ? bytes.byteLength : endOfLines(bytes);
  const text = new TextDecoder().decode(bytes.subarray(0, end));
  const inputs: ParsedInput[] = [];
  text.split('\n').forEach((line, position) => {
    const parsed = parseManifestLine(line, source.format, offset === 0 && position === 0);
    if (parsed !== null) inputs.push(parsed);
  });
  return { inputs, next: isLast ? null : { offset: offset + end }, done: isLast };
}

/** The end of the last whole line; where one line fills the whole step, the step is taken as it is, and the line fails. */
function endOfLines(bytes: Uint8Array): number {
  const end = bytes.lastIndexOf(0x0a) + 1;
  return end === 0 || bytes.byteLength - end > STEP_BYTES - MAX_LINE_LENGTH ? bytes.byteLength : end;
}
