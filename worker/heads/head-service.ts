/** What routes do with heads: from pictures to examples, through the head's Durable Object, and back as readers see it. */
import { whileReading } from '../../model-store/load.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { readManifest } from '../../model-store/versions.ts';
import { AppError, HeadError, ModelError, RequestError } from '../errors.ts';
import type { ImageLocation } from '../images/image-location.ts';
import type { ImageReader } from '../images/image-reader.ts';
import type { Classifier, ModelReference } from '../inference/classifier.ts';
import { float32Output } from '../inference/float32-output.ts';
import type { ModelHost, WaitUntil } from '../inference/model-host.ts';
import { exampleIdOf } from './example-id.ts';
import type { PendingExample } from './example-store.ts';
import { backboneOf } from './head-classifier.ts';
import type { HeadLibrary } from './head-library.ts';
import type { HeadObject, HeadWork } from './head-object.ts';
import { removeHead } from './head-publisher.ts';
import { type HeadIndex, headIndexKey, headPictureKey } from './layout.ts';
import {
  type Added,
  type ExampleSource,
  type HeadSettings,
  type HeadStatus,
  isRefusal,
  type NewExample,
  type Refusal,
} from './records.ts';

const POOLED = 'pooler_output';

/** Bytes of embeddings that travel to a head in one call; RPC takes 32 MiB. */
const MAX_CALL_BYTES = 8 * 1024 * 1024;

/** Examples of one call: each is hashed and written. */
const MAX_CALL_EXAMPLES = 500;

/** A picture or an embedding of a request, with its labels. */
export type ExampleInput = { readonly labels: readonly string[] } & (
  | { readonly kind: 'picture'; readonly name: string | null; read(): Promise<Uint8Array<ArrayBuffer>> }
  | { readonly kind: 'location'; readonly location: ImageLocation }
  | { readonly kind: 'embedding'; readonly embedding: Float32Array }
);

/** What the service is made of. */
export interface HeadServiceOptions {
  readonly heads: DurableObjectNamespace<HeadObject>;
  readonly library: HeadLibrary;
  readonly store: ObjectStore;
  readonly host: ModelHost;
  readonly classifier: Pick<Classifier, 'infer'>;
  readonly images: ImageReader;
  /** Pictures that a request embeds itself; more wait for the head's alarm. */
  readonly maxImagesPerRequest: number;
  readonly debounceMs: number;
  /** `kernels/heads.wasm`. */
  readonly kernels: WebAssembly.Module;
  acquire(bytes: number, what: string): Promise<{ release(): void }>;
}

export class HeadService {
  readonly #options: HeadServiceOptions;

  constructor(options: HeadServiceOptions) {
    this.#options = options;
  }

  get library(): HeadLibrary {
    return this.#options.library;
  }

  /** A head's Durable Object. */
  stub(owner: string, name: string): DurableObjectStub<HeadObject> {
    return this.#options.heads.get(this.#options.heads.idFromName(`${owner}/${name}`));
  }

  /** The network that a reference needs: a head's backbone, or the model itself. @throws ModelError `model_not_found`. */
  async networkOf(reference: ModelReference): Promise<ModelReference> {
    const found = await this.library.find(reference);
    return found === null ? reference : backboneOf(found);
  }

  /** The version that a reference means, of a head or a model. @throws ModelError. */
  async versionOf(reference: ModelReference): Promise<string> {
    const found = await this.library.find(reference);
    return found?.version.version ?? this.#options.host.resolve(reference.name, reference.reference);
  }

  /**
   * The backbone's version and the length of its embedding.
   * @throws ModelError `model_not_found`, `unsupported_output` where it gives none.
   */
  async describeBackbone(reference: ModelReference): Promise<{ version: string; dimensions: number }> {
    const { host, store } = this.#options;
    const version = await host.resolve(reference.name, reference.reference);
    const manifest = await whileReading(`the manifest of ${reference.name}@${version}`, () =>
      readManifest(store, reference.name, version),
    );
    const { outputs } = manifest.variants[manifest.default_variant]!;
    const shape = outputs.find(({ name }) => name === POOLED)?.shape.slice(1) ?? [];
    const dimensions = shape.reduce((product: number, size) => product * (typeof size === 'number' ? size : 1), 1);
    if (shape.length > 0) return { version, dimensions };
    throw new ModelError('unsupported_output', `${reference.name}@${version} gives no "${POOLED}"`);
  }

  /**
   * Makes a head of a request's examples, trained where all of them could be embedded at once.
   * @throws HeadError, RequestError `conflict`; ImageError, ModelError, RuntimeError of pictures that are embedded at once.
   */
  async create(settings: HeadSettings, inputs: readonly ExampleInput[], waitUntil: WaitUntil): Promise<HeadStatus> {
    const stub = this.stub(settings.owner, settings.name);
    const current = await stub.status();
    if (
      !isRefusal(current) &&
      (settings.idempotencyKey === null || current.settings.idempotencyKey !== settings.idempotencyKey)
    ) {
      throw new RequestError('conflict', `there is a head "${settings.name}" already`, {
        details: { head: settings.name },
      });
    }
    const isNew = isRefusal(current);
    try {
      let made = !isNew;
      for await (const batch of this.#batches(settings, inputs, waitUntil)) {
        accept(made ? await stub.add(batch, settings.backbone) : await stub.create(settings, batch));
        made = true;
      }
      const status = await this.status(settings.owner, settings.name);
      if (status.counts.pending === 0) accept(await stub.train());
      return await this.status(settings.owner, settings.name);
    } catch (error) {
      // Made or not: nothing is left of what was refused.
      if (isNew && error instanceof AppError) {
        await stub.destroy();
        await removeHead(this.#options.store, settings.owner, settings.name, []);
      }
      throw error;
    } finally {
      this.library.forget(settings.owner, settings.name);
    }
  }

  /** Adds a request's examples to a head. */
  async add(settings: HeadSettings, inputs: readonly ExampleInput[], waitUntil: WaitUntil): Promise<Added> {
    const stub = this.stub(settings.owner, settings.name);
    const total = { added: 0, known: 0, ids: [] as string[] };
    for await (const batch of this.#batches(settings, inputs, waitUntil)) {
      const answer = await stub.add(batch, settings.backbone);
      if (isRefusal(answer)) await this.#discardPictures(settings, batch);
      const { added, known, ids } = accept(answer);
      total.added += added;
      total.known += known;
      total.ids.push(...ids);
    }
    return total;
  }

  /**
   * Puts a head on what a reference means now; its examples are embedded again.
   * @throws HeadError `head_not_found`, `head_backbone_changed` where pictures were not kept, `head_limit_exceeded`; ModelError.
   */
  async changeBackbone(owner: string, name: string, reference: ModelReference): Promise<void> {
    const { version, dimensions } = await this.describeBackbone(reference);
    accept(await this.stub(owner, name).changeBackbone({ name: reference.name, version }, dimensions));
    this.library.forget(owner, name);
  }

  /** Where a head is. @throws HeadError `head_not_found`. */
  async status(owner: string, name: string): Promise<HeadStatus> {
    return accept(await this.stub(owner, name).status());
  }

  /** Deletes a head with all that belongs to it. @throws HeadError `head_not_found`. */
  async destroy(owner: string, name: string): Promise<void> {
    const { grants } = await this.status(owner, name);
    accept(await this.stub(owner, name).destroy());
    for (const tenant of [owner, ...grants]) this.library.forget(tenant, name);
  }

  /** The heads that a tenant may use. */
  list(tenant: string): Promise<HeadIndex[]> {
    return this.library.list(tenant);
  }

  /**
   * Lets another key use a head under the same name, or takes that back.
   * @throws RequestError `conflict` where the key has a head of that name.
   */
  async setGrant(owner: string, name: string, tenant: string, granted: boolean): Promise<void> {
    const { store } = this.#options;
    const stub = this.stub(owner, name);
    const key = headIndexKey(tenant, name);
    if (granted) {
      await this.status(owner, name);
      const grant = { schema_version: 1, name, granted_by: owner };
      const bytes = new TextEncoder().encode(`${JSON.stringify(grant)}\n`);
      const onlyIf = { absent: true } as const;
      const already = (await this.status(owner, name)).grants.includes(tenant);
      if (!already && !(await store.put(key, bytes, { contentType: 'application/json', onlyIf }))) {
        throw new RequestError('conflict', `key ${tenant} has a head "${name}" already`, { details: { head: name } });
      }
      accept(await stub.setGrant(tenant, true));
    } else {
      const { grants } = await this.status(owner, name);
      if (grants.includes(tenant)) await store.delete([key]);
      accept(await stub.setGrant(tenant, false));
    }
    this.library.forget(tenant, name);
  }

  /** What heads of this isolate work with. */
  work(): HeadWork {
    const { store, debounceMs, kernels, acquire } = this.#options;
    return {
      store,
      debounceMs,
      kernels,
      acquire,
      embed: (example, settings) => this.#embedPending(example, settings),
    };
  }

  /** A request's examples as a head takes them: embedded where that is little work, else with their pictures stored. */
  async *#batches(
    settings: HeadSettings,
    inputs: readonly ExampleInput[],
    waitUntil: WaitUntil,
  ): AsyncGenerator<NewExample[]> {
    const pictures = inputs.filter(({ kind }) => kind !== 'embedding').length;
    const atOnce = pictures <= this.#options.maxImagesPerRequest;
    let batch: NewExample[] = [];
    let bytes = 0;
    for (const input of inputs) {
      const example = await this.#prepare(settings, input, atOnce, waitUntil);
      batch.push(example);
      bytes += example.embedding?.byteLength ?? 0;
      if (batch.length < MAX_CALL_EXAMPLES && bytes < MAX_CALL_BYTES) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) yield batch;
  }

  async #prepare(
    settings: HeadSettings,
    input: ExampleInput,
    atOnce: boolean,
    waitUntil: WaitUntil,
  ): Promise<NewExample> {
    const { labels } = input;
    if (input.kind === 'embedding') {
      const embedding = bytesOf(input.embedding);
      return { sha256: await sha256Hex(embedding), labels, source: { kind: 'embedding' }, embedding, stored: false };
    }
    if (input.kind === 'location') return this.#prepareLocation(settings, labels, input.location, atOnce, waitUntil);
    const bytes = await input.read();
    const sha256 = await sha256Hex(bytes);
    const source: ExampleSource = { kind: 'upload', name: input.name };
    const stored = !atOnce || settings.keepPictures;
    const embedding = atOnce ? await this.#embed(settings, bytes, waitUntil) : null;
    if (stored) {
      const id = await exampleIdOf(sha256, labels);
      await this.#options.store.put(headPictureKey(settings.owner, settings.name, id), bytes, { sha256 });
    }
    return { sha256, labels, source, embedding, stored };
  }

  /** Pictures of examples that were refused; what is an example already keeps its own. */
  async #discardPictures({ owner, name }: HeadSettings, batch: readonly NewExample[]): Promise<void> {
    const stored = batch.filter((example) => example.stored);
    const ids = await Promise.all(stored.map(({ sha256, labels }) => exampleIdOf(sha256, labels)));
    const known = new Set(await this.stub(owner, name).known(ids));
    const keys = ids.filter((id) => !known.has(id)).map((id) => headPictureKey(owner, name, id));
    if (keys.length > 0) await this.#options.store.delete(keys);
  }

  async #prepareLocation(
    settings: HeadSettings,
    labels: readonly string[],
    location: ImageLocation,
    atOnce: boolean,
    waitUntil: WaitUntil,
  ): Promise<NewExample> {
    const source: ExampleSource =
      'url' in location
        ? { kind: 'url', url: location.url }
        : { kind: 'r2', bucket: location.bucket, key: location.key };
    // The same place is the same example: its picture is known only when it has been fetched.
    const sha256 = await sha256Hex(new TextEncoder().encode(JSON.stringify(source)));
    const embedding = atOnce
      ? await this.#options.images.withImage(location, (bytes) => this.#embed(settings, bytes, waitUntil))
      : null;
    return { sha256, labels, source, embedding, stored: false };
  }

  async #embed({ backbone }: HeadSettings, bytes: Uint8Array, waitUntil: WaitUntil): Promise<Uint8Array> {
    const reference = { name: backbone.name, reference: backbone.version };
    const { outputs } = await this.#options.classifier.infer(bytes, reference, [POOLED], {}, waitUntil);
    return bytesOf(float32Output(outputs, POOLED).data);
  }

  /** Called by a head's alarm. */
  async #embedPending(
    { id, source, stored }: PendingExample,
    settings: HeadSettings,
  ): Promise<{ embedding: Uint8Array; sha256: string }> {
    const use = async (bytes: Uint8Array): Promise<{ embedding: Uint8Array; sha256: string }> => ({
      // The alarm outlives what it begins.
      embedding: await this.#embed(settings, bytes, () => {}),
      sha256: await sha256Hex(bytes),
    });
    const { images, store } = this.#options;
    if (stored) {
      const object = await store.get(headPictureKey(settings.owner, settings.name, id));
      if (object === null) throw new HeadError('example_not_found', `the picture of ${id} is gone`);
      const lease = await this.#options.acquire(object.size, 'the picture');
      try {
        return await use(await object.bytes());
      } finally {
        lease.release();
      }
    }
    if (source.kind === 'url') return images.withImage({ url: source.url }, use);
    if (source.kind === 'r2') {
      return images.withImage({ bucket: source.bucket, key: source.key, etag: null }, use);
    }
    throw new HeadError('example_not_found', `the picture of ${id} was not kept`);
  }
}

/** An answer that is no refusal. @throws HeadError, RequestError. */
export function accept<T>(answer: T): Exclude<T, Refusal> {
  if (!isRefusal(answer)) return answer as Exclude<T, Refusal>;
  const { code, message, details } = answer.refused;
  const options = details === undefined ? {} : { details };
  throw new AppError(code, message, options);
}

/** Little-endian float32, as every platform of ours has it. */
function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}
