/**
 * One head: the only truth about its examples, versions and aliases. Its alarm drives what must not be lost: pictures are embedded,
 * a new version is trained once the examples have come to rest, and the index in the bucket is written again until it is right.
 */
import { DurableObject } from 'cloudflare:workers';
import { AppError } from '../errors.ts';
import { changeBackbone } from './backbone-change.ts';
import { type EmbeddingWork, embedPending } from './embedder.ts';
import { exampleIdOf } from './example-id.ts';
import { ExampleStore } from './example-store.ts';
import { publishIndex, removeHead, removeVersion } from './head-publisher.ts';
import { headPictureKey } from './layout.ts';
import { HEAD_LIMITS } from './limits.ts';
import {
  type Added,
  type ExamplePage,
  type ExampleRecord,
  type HeadSettings,
  type HeadStatus,
  isRefusal,
  type NewExample,
  type Refusal,
} from './records.ts';
import { asRefusal, NO_HEAD, noExample, refusalOf } from './refusals.ts';
import { checkClasses, checkRoom, type NamedExample } from './room.ts';
import { statusOf } from './status.ts';
import { HeadTrainer, type TrainingWork } from './trainer.ts';
import { deleteAlias, deleteVersion, moveAlias, rollback } from './version-changes.ts';
import { VersionStore } from './version-store.ts';

/** After a turn that failed, in ms. */
const RETRY_MS = 2_000;

/** What a head works with: of the isolate that it runs in. */
export interface HeadWork extends EmbeddingWork, TrainingWork {
  /** How long after the last change of examples a version is trained, in ms. */
  readonly debounceMs: number;
}

/** Methods are called over RPC by routes. */
export abstract class HeadObject extends DurableObject<Env> {
  readonly #examples: ExampleStore;
  readonly #versions: VersionStore;
  readonly #trainer: HeadTrainer;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#examples = new ExampleStore(context.storage.sql);
    this.#versions = new VersionStore(context.storage.sql);
    this.#trainer = new HeadTrainer({
      examples: this.#examples,
      versions: this.#versions,
      work: () => this.work(),
      publish: () => this.#published(),
    });
  }

  /** What the isolate gives; asked for when it is needed. */
  protected abstract work(): HeadWork;

  /** Makes the head, with its first examples, or not at all. A repeated call with the same Idempotency-Key adds to it. */
  async create(settings: HeadSettings, examples: readonly NewExample[]): Promise<Added | Refusal> {
    const named = await withIds(examples);
    const current = this.#versions.settings;
    if (current !== null && (settings.idempotencyKey === null || current.idempotencyKey !== settings.idempotencyKey)) {
      return { refused: { code: 'conflict', message: `there is a head "${settings.name}" already` } };
    }
    return this.#insert(current ?? settings, named, settings.backbone);
  }

  /**
   * Adds examples: all of them, or none. Adding them again changes nothing.
   * @param backbone what made their embeddings.
   */
  async add(examples: readonly NewExample[], backbone: HeadSettings['backbone']): Promise<Added | Refusal> {
    const named = await withIds(examples);
    const settings = this.#versions.settings;
    return settings === null ? NO_HEAD : this.#insert(settings, named, backbone);
  }

  /** Nothing is awaited before all is written: what was checked is still so. */
  async #insert(
    settings: HeadSettings,
    examples: readonly NamedExample[],
    backbone: HeadSettings['backbone'],
  ): Promise<Added | Refusal> {
    const refusal = refusalOf(() => checkRoom(settings, this.#examples, examples, backbone));
    if (refusal !== null) return refusal;
    if (this.#versions.settings === null) {
      this.#versions.settings = settings;
      this.#versions.update({ unpublished: true });
    }
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
    return settings === null ? NO_HEAD : statusOf(settings, this.#examples, this.#versions);
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
    const refusal = refusalOf(() => checkClasses(settings, this.#examples, [labels]));
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

  /**
   * Puts the head on another version of a backbone, or on another backbone: every example waits to be embedded again, and versions
   * that are there stay what they are.
   * @param dimensions of its embedding.
   */
  async changeBackbone(backbone: HeadSettings['backbone'], dimensions: number): Promise<null | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    const { name, version } = settings.backbone;
    if (name === backbone.name && version === backbone.version) return null;
    const refusal = refusalOf(() => {
      this.#versions.settings = changeBackbone(settings, this.#examples, backbone, dimensions);
    });
    if (refusal !== null) return refusal;
    this.#versions.touch();
    await this.#schedule();
    return null;
  }

  /** Trains now what the examples are now; does nothing where the newest version was trained from them. */
  async train(): Promise<null | Refusal> {
    const settings = this.#versions.settings;
    if (settings === null) return NO_HEAD;
    const { pending } = this.#examples.counts();
    if (pending > 0) return { refused: { code: 'conflict', message: `${pending} pictures wait to be embedded` } };
    try {
      await this.#trainer.trainIfStale();
    } catch (error) {
      // What is thrown loses its class on the way.
      if (!(error instanceof AppError)) throw error;
      return asRefusal(error);
    }
    const { error } = this.#versions.progress;
    return error === null ? null : { refused: error };
  }

  /** Points an alias at a version. @returns the version before, or null. */
  moveAlias(alias: string, version: string): Promise<{ from: string | null } | Refusal> {
    return this.#change(() => moveAlias(this.#versions, alias, version));
  }

  /** Removes an alias. */
  deleteAlias(alias: string): Promise<{ from: string } | Refusal> {
    return this.#change(() => deleteAlias(this.#versions, alias));
  }

  /** Points an alias at the version that it named before; versions deleted since are passed over. */
  rollback(alias: string): Promise<{ from: string; to: string } | Refusal> {
    return this.#change(() => rollback(this.#versions, alias));
  }

  /** Deletes a version that no alias names. */
  async deleteVersion(version: string): Promise<null | Refusal> {
    const refusal = await this.#change(() => deleteVersion(this.#versions, version));
    if (refusal !== null) return refusal;
    const { owner, name } = this.#versions.settings!;
    await removeVersion(this.work().store, owner, name, version);
    return null;
  }

  /** Changes what readers see, and tells them. */
  async #change<T>(change: () => T | Refusal): Promise<T | Refusal> {
    if (this.#versions.settings === null) return NO_HEAD;
    const answer = change();
    if (!isRefusal(answer)) await this.#published();
    return answer;
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
      if (await embedPending(this.#examples, this.#versions, this.work())) {
        await this.ctx.storage.setAlarm(Date.now());
        return;
      }
      await this.#trainer.trainIfStale();
      if (this.#versions.progress.unpublished) await this.#published();
    } catch (error) {
      // The platform gives an alarm up after some failures; a head must never be given up.
      console.warn(
        JSON.stringify({ level: 'warn', event: 'head_turn_failed', head: settings.name, error: String(error) }),
      );
      await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    }
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
}

function withIds(examples: readonly NewExample[]): Promise<NamedExample[]> {
  return Promise.all(
    examples.map(async (example) => ({ ...example, id: await exampleIdOf(example.sha256, example.labels) })),
  );
}
