/** What GPU workers call: chunks are leased, reported, renewed and given back; images and model files are read. */
import { modelFileKey } from '../../../model-store/layout.ts';
import type { ObjectBody, ObjectStore } from '../../../model-store/object-store.ts';
import { readManifest } from '../../../model-store/versions.ts';
import { FetchError, JobError, RequestError } from '../../errors.ts';
import type { ImageReader } from '../../images/image-reader.ts';
import type { BulkJob } from '../bulk-job.ts';
import { failureOf } from '../item-failure.ts';
import type { ItemOutcome, JobSpecification, LeasedItem } from '../records.ts';
import { ImageLinks, LINK_MS, type LinkedImage } from './image-links.ts';
import type { HeldChunk, ReleaseReason, WorkOutcome } from './records.ts';
import { boardOf, type WorkBoard } from './work-board.ts';

/** What the service is made of. */
export interface WorkServiceOptions {
  readonly jobs: DurableObjectNamespace<BulkJob>;
  readonly boards: DurableObjectNamespace<WorkBoard>;
  readonly images: Pick<ImageReader, 'locate' | 'bucket'>;
  readonly models: ObjectStore;
  now(): number;
}

/** Who calls. */
export interface WorkCaller {
  /** Id of the API key. */
  readonly key: string;
  /** The worker's own name. */
  readonly worker: string;
}

/** Where a worker reads one image. */
export type WorkItem =
  | { readonly index: number; readonly url: string }
  | { readonly index: number; readonly path: string };

/** A chunk that a worker is to answer. */
export interface WorkLease {
  readonly lease: string;
  readonly attempt: number;
  readonly specification: JobSpecification;
  readonly items: readonly WorkItem[];
}

/** See the file's header. */
export class WorkService {
  readonly #options: WorkServiceOptions;
  #links: ImageLinks | null = null;

  constructor(options: WorkServiceOptions) {
    this.#options = options;
  }

  /** Chunks to work on, at most `max`; none where nothing waits. What is no item for a worker to read has failed already. */
  async lease({ key, worker }: WorkCaller, max: number): Promise<WorkLease[]> {
    const held = await this.#board().lease(key, worker, max);
    const leases = await Promise.all(held.map((each) => this.#open(key, each)));
    return leases.filter((lease) => lease !== null);
  }

  async #open(key: string, held: HeldChunk): Promise<WorkLease | null> {
    const board = this.#board();
    const { lease, attempt, chunk } = held;
    try {
      const job = this.#job(held);
      const found = await job.lease(chunk);
      const refused: ItemOutcome[] = [];
      const items: WorkItem[] = [];
      for (const item of found?.items ?? []) {
        const read = await this.#locate(item);
        if ('status' in read) refused.push(read);
        else items.push(read);
      }
      if (refused.length > 0) await job.report(chunk, refused);
      if (found !== null && items.length > 0) return { lease, attempt, specification: found.specification, items };
      await board.settle(key, lease);
      return null;
    } catch (error) {
      await board.release(key, lease, 'leftover');
      throw error;
    }
  }

  async #locate({ index, input }: LeasedItem): Promise<WorkItem | ItemOutcome> {
    try {
      const location = this.#options.images.locate({ url: input.url, r2: input.r2 });
      if ('url' in location) return { index, url: location.url };
      const { bucket, key } = location;
      const links = await this.#openLinks();
      return { index, path: await links.sign({ bucket, key, expires: this.#options.now() + LINK_MS }) };
    } catch (error) {
      return failureOf(index, error);
    }
  }

  /** Says that chunks are still worked on. @returns the leases that the caller has lost. */
  async renew({ key, worker }: WorkCaller, leases: readonly string[]): Promise<string[]> {
    const kept = new Set(await this.#board().renew(key, worker, leases));
    return leases.filter((lease) => !kept.has(lease));
  }

  /**
   * Hands outcomes to the job, and renews the lease.
   * @returns items without an outcome; 0 ends the lease.
   * @throws JobError `lease_lost`; RequestError `invalid_body` where an answer does not fit the task.
   */
  async report({ key }: WorkCaller, lease: string, outcomes: readonly WorkOutcome[]): Promise<number> {
    const board = this.#board();
    const held = await board.hold(key, lease);
    if (held === null) throw lost();
    const recorded = await this.#job(held).recordWork(held.chunk, outcomes);
    if ('unfit' in recorded) {
      throw new RequestError('invalid_body', `the answer of item ${recorded.unfit} is not one to the job's task`, {
        details: { index: recorded.unfit },
      });
    }
    const left = recorded.over ? 0 : recorded.pending;
    if (left === 0) await board.settle(key, lease);
    return left;
  }

  /** Gives a chunk back. @throws JobError `lease_lost`. */
  async release({ key }: WorkCaller, lease: string, reason: ReleaseReason): Promise<void> {
    if (!(await this.#board().release(key, lease, reason))) throw lost();
  }

  /** An image by its link. @throws RequestError `forbidden` where we did not sign it, or it is too old; FetchError `object_not_found`. */
  async image(image: LinkedImage, signature: string): Promise<R2ObjectBody> {
    const links = await this.#openLinks();
    if (!(await links.verify(image, signature, this.#options.now()))) {
      throw new RequestError('forbidden', 'the link to this image is not signed, or is older than an hour');
    }
    const object = await this.#options.images.bucket(image.bucket).get(image.key);
    if (object !== null) return object;
    throw new FetchError('object_not_found', 'the object is gone, or was overwritten since', {
      details: { bucket: image.bucket },
    });
  }

  /**
   * A file of a version, as its manifest names it, or the manifest.
   * @throws ModelError `model_not_found`; RequestError `not_found`.
   */
  async modelFile(name: string, version: string, path: string): Promise<ObjectBody> {
    const { models } = this.#options;
    const { labels, preprocessor, variants } = await readManifest(models, name, version);
    const files = [labels, preprocessor, variants.gpu?.model, variants.gpu?.weights];
    const isListed = path === 'manifest.json' || files.some((file) => file?.path === path);
    const object = isListed ? await models.get(modelFileKey(name, version, path)) : null;
    if (object !== null) return object;
    throw new RequestError('not_found', `${name}@${version} has no file "${path.slice(0, 80)}" for GPU workers`);
  }

  #job({ job }: HeldChunk): DurableObjectStub<BulkJob> {
    return this.#options.jobs.get(this.#options.jobs.idFromName(job));
  }

  /** A stub belongs to the request that made it. */
  #board(): DurableObjectStub<WorkBoard> {
    return boardOf(this.#options.boards);
  }

  /** Kept once they are there; a promise that another request waits for is not shared. */
  async #openLinks(): Promise<ImageLinks> {
    this.#links ??= await ImageLinks.open(await this.#board().linkSecret());
    return this.#links;
  }
}

/** One error for every reason, so that nobody learns by guessing. */
function lost(): JobError {
  return new JobError('lease_lost', 'this lease is unknown, has ended, or another worker has the chunk');
}
