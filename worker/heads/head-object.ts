/**
 * One head: the only truth about its examples, versions and aliases. Its alarm drives what must not be lost: pictures are embedded,
 * a new version is trained once the examples have come to rest, and the index in the bucket is written again until it is right.
 */
import { DurableObject } from 'cloudflare:workers';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { AppError, HeadError } from '../errors.ts';
import { isTransientFetch } from '../fetch/transient-failure.ts';
import { isRetryable } from '../problem.ts';
import { exampleIdOf } from './example-id.ts';
import { ExampleStore, type PendingExample } from './example-store.ts';
import { DEFAULT_ALIAS } from './head-names.ts';
import { publishIndex, removeHead, removeVersion, storeVersion } from './head-publisher.ts';
import { type HeadVersion, headPictureKey } from './layout.ts';
import { checkHeadLimit, HEAD_LIMITS, trainingBytes, trainingCost } from './limits.ts';
import { LinearAlgebra } from './math/linear-algebra.ts';
import { trainHead } from './math/train.ts';
import type {
  Added,
  ExamplePage,
  ExampleRecord,
  HeadSettings,
  HeadState,
  HeadStatus,
  NewExample,
  Refusal,
} from './records.ts';
import { readTrainingSet } from './training-set.ts';
import { VersionStore } from './version-store.ts';

/** Pictures that are embedded in one turn of the alarm. */
const EMBEDDED_PER_TURN = 8;

/** How often a picture is tried before it fails. */
const MAX_ATTEMPTS = 5;

/** After a turn that failed, in ms. */
const RETRY_MS = 2_000;

const NO_HEAD: Refusal = { refused: { code: 'head_not_found', message: 'there is no such head' } };

/** What a head works with: of the isolate that it runs in. */
export interface HeadWork {
  readonly store: ObjectStore;
  /** How long after the last change of examples a version is trained, in ms. */
  readonly debounceMs: number;
  /** The pooled features of a picture, and its hash. @throws AppError. */
  embed(example: PendingExample, head: HeadSettings): Promise<{ embedding: Uint8Array; sha256: string }>;
  /** The compiled kernels of training. */
  readonly kernels: WebAssembly.Module;
  /** Takes memory. @throws RuntimeError. */
  acquire(bytes: number, what: string): Promise<{ release(): void }>;
}

/** See the file's header. Methods are called over RPC by routes. */
export abstract class HeadObject extends DurableObject<Env> {
  readonly #examples: ExampleStore;
  readonly #versions: VersionStore;
  /** Ends when the training under way has ended. */
  #training: Promise<void> = Promise.resolve();

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#examples = new ExampleStore(context.storage.sql);
    this.#versions = new VersionStore(context.storage.sql);
  }

  /** What the isolate gives; asked for when it is needed. */
  protected abstract work(): HeadWork;

  /** Makes the head, with its first examples, or not at all. A repeated call with the same Idempotency-Key adds to it. */
  async create(settings: HeadSettings, examples: readonly NewExample[]): Promise<Added | Refusal> {
    const current = this.#versions.settings;
    if (current !== null && (settings.idempotencyKey === null || current.idempotencyKey !== settings.idempotencyKey)) {
      return { refused: { code: 'conflict', message: `there is a head "${settings.name}" already` } };
    }
    return this.#add(current ?? settings, examples, () => {
      if (current !== null) return;
      this.#versions.settings = settings;
      this.#versions.update({ unpublished: true });
    });
  }

  /** Adds examples: all of them, or none. Adding them again changes nothing. */
  async add(examples: readonly NewExample[]): Promise<Added | Refusal> {
    const settings = this.#versions.settings;
    return settings === null ? NO_HEAD : this.#add(settings, examples, () => {});
  }

  async #add(settings: HeadSettings, given: readonly NewExample[], before: () => void): Promise<Added | Refusal> {
    const examples = await Promise.all(
      given.map(async (example) => ({ ...example, id: await exampleIdOf(example.sha256, example.labels) })),
    );
    const refusal = refusalOf(() => this.#checkRoom(settings, examples));
    if (refusal !== null) return refusal;
    before();
    const added = this.#examples.add(examples, Date.now());
    if (added.added > 0) this.#versions.touch();
    await this.#schedule();
    return added;
  }

  /** Which of these examples are there. */
  async known(ids: readonly string[]): Promise<string[]> {
    return [...this.#examples.known(ids)];
  }

  /** Where the head is. */
  async status(): Promise<HeadStatus | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    const { revision, trainedRevision, error } = this.#versions.progress;
    const counts = this.#examples.counts();
    const versions = this.#versions.versions();
    let state: HeadState = versions.length === 0 ? 'empty' : 'ready';
    if (counts.pending > 0) state = 'embedding';
    else if (revision !== trainedRevision) state = 'stale';
    else if (error !== null) state = 'failed';
    return {
      settings,
      state,
      counts,
      classes: [...this.#examples.classes()].map(([label, examples]) => ({ label, examples })),
      aliases: this.#versions.aliases(),
      versions,
      grants: this.#versions.grants(),
      error,
    };
  }

  /** A page of the examples. */
  async list(label: string | null, cursor: string | null, limit: number): Promise<ExamplePage | Refusal> {
    return this.#versions.settings === null ? NO_HEAD : this.#examples.list(label, cursor, limit);
  }

  /** Gives an example other labels. */
  async relabel(id: string, labels: readonly string[]): Promise<ExampleRecord | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    const example = this.#examples.find(id);
    if (example === null) return noExample(id);
    if (this.#examples.hasTwin(id, example.sha256, labels)) {
      const message = `another example has this picture and the label ${labels.join(', ')}`;
      return { refused: { code: 'conflict', message } };
    }
    const refusal = refusalOf(() => this.#checkClasses(settings, [labels]));
    if (refusal !== null) return refusal;
    if (JSON.stringify(example.labels) !== JSON.stringify(labels)) {
      this.#examples.setLabels(id, labels);
      this.#versions.touch();
      await this.#schedule();
    }
    return { ...example, labels };
  }

  /** Deletes an example. */
  async remove(id: string): Promise<{ deleted: number } | Refusal> {
    if (this.#versions.settings === null) return NO_HEAD;
    if (this.#examples.find(id) === null) return noExample(id);
    return this.#removeAll([id]);
  }

  /** Deletes the examples of a label. */
  async removeLabel(label: string): Promise<{ deleted: number } | Refusal> {
    if (this.#versions.settings === null) return NO_HEAD;
    const page = this.#examples.list(label, null, HEAD_LIMITS.examples);
    return this.#removeAll(page.examples.map(({ id }) => id));
  }

  async #removeAll(ids: readonly string[]): Promise<{ deleted: number }> {
    const deleted = this.#examples.delete(ids);
    if (deleted > 0) {
      this.#versions.touch();
      await this.#schedule();
      const { owner, name } = this.#versions.settings!;
      await this.work().store.delete(ids.map((id) => headPictureKey(owner, name, id)));
    }
    return { deleted };
  }

  /** Changes how the head is trained and promoted; a new version follows where that changes it. */
  async configure(
    changes: Partial<Pick<HeadSettings, 'training' | 'promotion' | 'promotionMargin'>>,
  ): Promise<null | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    this.#versions.settings = { ...settings, ...changes };
    if (changes.training !== undefined && JSON.stringify(changes.training) !== JSON.stringify(settings.training)) {
      this.#versions.touch();
      await this.#schedule();
    }
    return null;
  }

  /** Trains now what the examples are now; does nothing where the newest version was trained from them. */
  async train(): Promise<null | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    const { pending } = this.#examples.counts();
    if (pending > 0) return { refused: { code: 'conflict', message: `${pending} pictures wait to be embedded` } };
    try {
      await this.#trainIfStale();
    } catch (error) {
      // What is thrown loses its class on the way.
      if (!(error instanceof AppError)) throw error;
      return { refused: { code: error.code, message: error.message } };
    }
    const { error } = this.#versions.progress;
    return error === null ? null : { refused: error };
  }

  /** Points an alias at a version. @returns the version before, or null. */
  async moveAlias(alias: string, version: string): Promise<{ from: string | null } | Refusal> {
    if (this.#versions.settings === null) return NO_HEAD;
    if (this.#versions.version(version) === null) return noVersion(version);
    const from = this.#versions.moveAlias(alias, version, new Date().toISOString());
    await this.#published();
    return { from };
  }

  /** Removes an alias. */
  async deleteAlias(alias: string): Promise<{ from: string } | Refusal> {
    if (this.#versions.settings === null) return NO_HEAD;
    const current = this.#versions.alias(alias);
    if (current === null) return noAlias(alias);
    this.#versions.deleteAlias(alias);
    await this.#published();
    return { from: current.version };
  }

  /** Points an alias at the version that it named before; versions deleted since are passed over. */
  async rollback(alias: string): Promise<{ from: string; to: string } | Refusal> {
    if (this.#versions.settings === null) return NO_HEAD;
    const current = this.#versions.alias(alias);
    if (current === null) return noAlias(alias);
    const history = [...current.history];
    for (let to = history.pop(); to !== undefined; to = history.pop()) {
      if (this.#versions.version(to) === null) continue;
      this.#versions.setAlias(alias, { version: to, updated_at: new Date().toISOString(), history });
      await this.#published();
      return { from: current.version, to };
    }
    return { refused: { code: 'head_not_found', message: `alias "${alias}" has no earlier version` } };
  }

  /** Deletes a version that no alias names. */
  async deleteVersion(version: string): Promise<null | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    if (this.#versions.version(version) === null) return noVersion(version);
    const naming = Object.entries(this.#versions.aliases()).filter(([, record]) => record.version === version);
    if (naming.length > 0) {
      const aliases = naming.map(([alias]) => alias).join(', ');
      return { refused: { code: 'conflict', message: `${version} is what ${aliases} names; move the alias first` } };
    }
    this.#versions.deleteVersion(version);
    await this.#published();
    await removeVersion(this.work().store, settings.owner, settings.name, version);
    return null;
  }

  /** Notes that another key may use the head, or may not any more; what the bucket says of it is the caller's to write. */
  async setGrant(tenant: string, granted: boolean): Promise<null | Refusal> {
    if (this.#versions.settings === null) return NO_HEAD;
    if (granted) this.#versions.addGrant(tenant);
    else this.#versions.deleteGrant(tenant);
    return null;
  }

  /** Deletes the head with all that belongs to it. */
  async destroy(): Promise<null | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    await removeHead(this.work().store, settings.owner, settings.name, this.#versions.grants());
    await this.ctx.storage.deleteAlarm();
    this.#examples.clear();
    this.#versions.clear();
    return null;
  }

  override async alarm(): Promise<void> {
    const settings = this.#versions.settings;
    if (settings === null) return;
    try {
      const pending = this.#examples.pending(EMBEDDED_PER_TURN);
      if (pending.length > 0) {
        for (const example of pending) await this.#embed(example, settings);
        await this.ctx.storage.setAlarm(Date.now());
        return;
      }
      await this.#trainIfStale();
      if (this.#versions.progress.unpublished) await this.#published();
    } catch (error) {
      // The platform gives an alarm up after some failures; a head must never be given up.
      console.warn(
        JSON.stringify({ level: 'warn', event: 'head_turn_failed', head: settings.name, error: String(error) }),
      );
      await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    }
  }

  async #embed(example: PendingExample, settings: HeadSettings): Promise<void> {
    try {
      const { embedding, sha256 } = await this.work().embed(example, settings);
      this.#examples.setEmbedding(example.id, embedding, sha256);
      // Counts as a change: what is trained meanwhile lacks it.
      this.#versions.touch();
      if (!settings.keepPictures && example.stored) {
        await this.work().store.delete([headPictureKey(settings.owner, settings.name, example.id)]);
      }
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'internal_error';
      const message = error instanceof Error ? error.message : String(error);
      const isFinal = !(isRetryable(error) || isTransientFetch(error)) || example.attempts + 1 >= MAX_ATTEMPTS;
      this.#examples.setFailure(example.id, { code, message: message.slice(0, 300) }, isFinal);
    }
  }

  /** One training after the other: the second finds that nothing is left to do. */
  #trainIfStale(): Promise<void> {
    const next = this.#training.then(async () => {
      const { revision, trainedRevision } = this.#versions.progress;
      if (revision === trainedRevision) return;
      try {
        if (this.#examples.counts().ready === 0) throw new HeadError('head_untrainable', 'the head has no example');
        await this.#trainRevision(revision);
      } catch (error) {
        if (!(error instanceof HeadError)) throw error;
        this.#versions.update({ trainedRevision: revision, error: { code: error.code, message: error.message } });
      }
    });
    this.#training = next.catch(() => {});
    return next;
  }

  async #trainRevision(revision: number): Promise<void> {
    const settings = this.#versions.settings!;
    const { owner, name, training } = settings;
    const work = this.work();
    const dimensions = this.#examples.dimensions()!;
    const { ready } = this.#examples.counts();
    const classes = this.#examples.classes().size;
    checkHeadLimit('multiplications', trainingCost(training.method, ready, dimensions, classes), 'training');
    const bytes = trainingBytes(training.method, ready, dimensions, classes);
    const lease = await work.acquire(bytes, 'training the head');
    let facts: HeadVersion;
    try {
      const set = readTrainingSet(this.#examples, dimensions, settings.multiLabel);
      const { head, report } = trainHead(set, training, new LinearAlgebra(work.kernels));
      facts = await storeVersion(work.store, settings, head, report, new Date().toISOString());
    } finally {
      lease.release();
    }
    // It may have been deleted meanwhile.
    if (this.#versions.settings === null) return removeVersion(work.store, owner, name, facts.version);
    this.#versions.addVersion(facts);
    if (this.#isPromoted(facts, this.#versions.settings)) {
      this.#versions.moveAlias(DEFAULT_ALIAS, facts.version, new Date().toISOString());
    }
    this.#versions.update({ trainedRevision: revision, error: null, unpublished: true });
    const surplus = this.#surplusVersions();
    for (const version of surplus) this.#versions.deleteVersion(version);
    await this.#published();
    for (const version of surplus) await removeVersion(work.store, owner, name, version);
  }

  #isPromoted({ accuracy }: HeadVersion, { promotion, promotionMargin }: HeadSettings): boolean {
    const current = this.#versions.alias(DEFAULT_ALIAS);
    if (current === null || promotion === 'always') return true;
    if (promotion === 'never') return false;
    const before = this.#versions.version(current.version)?.accuracy ?? null;
    return before === null || (accuracy !== null && accuracy >= before - promotionMargin);
  }

  /** The oldest versions beyond the limit that no alias names. */
  #surplusVersions(): string[] {
    const named = new Set(Object.values(this.#versions.aliases()).map(({ version }) => version));
    const all = this.#versions.versions();
    const surplus = all.length - HEAD_LIMITS.versions;
    if (surplus <= 0) return [];
    return all
      .map(({ version }) => version)
      .filter((version) => !named.has(version))
      .slice(-surplus);
  }

  /** Writes the index, or leaves that to the alarm. */
  async #published(): Promise<void> {
    this.#versions.update({ unpublished: true });
    const settings = this.#versions.settings!;
    await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    await publishIndex(this.work().store, {
      schema_version: 1,
      name: settings.name,
      owner: settings.owner,
      created_at: new Date(settings.createdAtMs).toISOString(),
      aliases: this.#versions.aliases(),
      versions: this.#versions.versions(),
    });
    this.#versions.update({ unpublished: false });
  }

  /** Wakes the alarm: at once while pictures wait, else when the examples have come to rest. */
  async #schedule(): Promise<void> {
    const { pending } = this.#examples.counts();
    await this.ctx.storage.setAlarm(Date.now() + (pending > 0 ? 0 : this.work().debounceMs));
  }

  #checkRoom(settings: HeadSettings, examples: readonly (NewExample & { readonly id: string })[]): void {
    const known = this.#examples.known(examples.map(({ id }) => id));
    const added = new Map(examples.filter(({ id }) => !known.has(id)).map((example) => [example.id, example]));
    const { pending, ready, failed } = this.#examples.counts();
    const total = pending + ready + failed + added.size;
    checkHeadLimit('examples', total, 'examples of the head');
    const dimensions = settings.dimensions;
    for (const { embedding } of added.values()) {
      if (embedding !== null && embedding.byteLength !== 4 * dimensions) {
        const message = `an embedding has ${embedding.byteLength / 4} values; the backbone gives ${dimensions}`;
        throw new HeadError('head_backbone_changed', message);
      }
    }
    checkHeadLimit('embeddingBytes', 4 * total * dimensions, 'bytes of embeddings');
    this.#checkClasses(
      settings,
      [...added.values()].map(({ labels }) => labels),
    );
  }

  #checkClasses(settings: HeadSettings, added: readonly (readonly string[])[]): void {
    const classes = this.#examples.classes();
    for (const label of added.flat()) {
      const examples = (classes.get(label) ?? 0) + 1;
      classes.set(label, examples);
      checkHeadLimit('examplesPerClass', examples, `examples of class "${label.slice(0, 80)}"`);
    }
    checkHeadLimit('classes', classes.size, 'classes of the head');
    const { method } = settings.training;
    const { pending, ready } = this.#examples.counts();
    const total = pending + ready + added.length;
    const { dimensions } = settings;
    checkHeadLimit('multiplications', trainingCost(method, total, dimensions, classes.size), 'training');
    checkHeadLimit('trainingBytes', trainingBytes(method, total, dimensions, classes.size), 'bytes of training');
  }
}

function refusalOf(check: () => void): Refusal | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!(error instanceof HeadError)) throw error;
    const details = Object.fromEntries(
      Object.entries(error.details).flatMap(([key, value]): [string, string | number][] =>
        typeof value === 'string' || typeof value === 'number' ? [[key, value]] : [],
      ),
    );
    return { refused: { code: error.code, message: error.message, details } };
  }
}

function noExample(id: string): Refusal {
  return { refused: { code: 'example_not_found', message: `the head has no example "${id}"` } };
}

function noVersion(version: string): Refusal {
  return { refused: { code: 'head_not_found', message: `the head has no version "${version}"` } };
}

function noAlias(alias: string): Refusal {
  return { refused: { code: 'head_not_found', message: `the head has no alias "${alias}"` } };
}
