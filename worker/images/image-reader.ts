/** Reads the images that requests, jobs and events name, into memory that is leased for them. */
import { discard } from '../../model-store/byte-source.ts';
import type { Bindings } from '../bindings.ts';
import type { FetchFunction } from '../fetch/safe-fetch.ts';
import { describeUrlPolicy, type UrlPolicy, type UrlRules } from '../fetch/url-policy.ts';
import type { ImageBucket } from './image-buckets.ts';
import { type ImageLocation, locateImage } from './image-location.ts';
import { findBucket, readImage } from './read-image.ts';

/** Memory for the images that are read. */
export interface ImageMemory {
  /** Bytes of the largest image that there is room for now. */
  readonly maxBytes: number;
  /** Takes memory, and gives the call that gives it back. @throws RuntimeError. */
  acquire(bytes: number): Promise<() => void>;
}

/** Limits how many images are read at a time. */
export interface ReadingLimit {
  run<T>(read: () => Promise<T>): Promise<T>;
}

const UNLIMITED: ReadingLimit = { run: (read) => read() };

/** What a reader is made of. */
export interface ImageReaderOptions {
  readonly buckets: readonly ImageBucket[];
  readonly bindings: Bindings;
  readonly urlPolicy: UrlPolicy;
  readonly fetch: FetchFunction;
  readonly memory: ImageMemory;
}

/** The images that a deployment reads: URLs under its policy, and objects of its buckets. */
export class ImageReader {
  readonly #options: ImageReaderOptions;

  constructor(options: ImageReaderOptions) {
    this.#options = options;
  }

  /** Buckets that images are read from; the first is the default. */
  get buckets(): readonly ImageBucket[] {
    return this.#options.buckets;
  }

  /** Which URLs may be fetched: GPU workers fetch by the same rules. */
  get urlRules(): UrlRules {
    return describeUrlPolicy(this.#options.urlPolicy);
  }

  /** The location of a named image; see `locateImage`. @throws RequestError `invalid_body`; FetchError `url_not_allowed`. */
  locate(members: { readonly url: unknown; readonly r2: unknown }, where = ''): ImageLocation {
    return locateImage(members, where, this.#options);
  }

  /** A bucket by its name in the settings. @throws FetchError `object_not_found`. */
  bucket(name: string): R2Bucket {
    return findBucket(name, this.#options);
  }

  /**
   * Reads an image and hands its bytes over, in memory that was taken for it and is given back however that ends: they are gone
   * once `use` has settled.
   * @param reading holds the reading back, not what is done with the bytes.
   * @throws as `readImage` does; RuntimeError `overloaded`, `memory_budget_exceeded`; and as `use` does.
   */
  async withImage<T>(
    location: ImageLocation,
    use: (bytes: Uint8Array<ArrayBuffer>) => Promise<T>,
    reading: ReadingLimit = UNLIMITED,
  ): Promise<T> {
    const { memory } = this.#options;
    const releases: (() => void)[] = [];
    let isOver = false;
    let bytes: Uint8Array<ArrayBuffer> | null = null;
    try {
      bytes = await reading.run(() =>
        readImage(location, {
          ...this.#options,
          maxBytes: memory.maxBytes,
          reserve: async (most) => {
            const release = await memory.acquire(most);
            // The fetch may have timed out while this waited.
            if (isOver) release();
            else releases.push(release);
          },
        }),
      );
      return await use(bytes);
    } finally {
      isOver = true;
      if (bytes !== null) discard(bytes.buffer);
      for (const release of releases) release();
    }
  }
}
