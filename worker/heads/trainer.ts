/** Trains a head's next version from its examples, stores it, and moves `latest` where the head says so. */
import type { ObjectStore } from '../../model-store/object-store.ts';
import { HeadError } from '../errors.ts';
import type { ExampleStore } from './example-store.ts';
import { DEFAULT_ALIAS } from './head-names.ts';
import { removeVersion, storeVersion } from './head-publisher.ts';
import type { HeadVersion } from './layout.ts';
import { checkHeadLimit, HEAD_LIMITS, trainingBytes, trainingCost } from './limits.ts';
import { LinearAlgebra } from './math/linear-algebra.ts';
import { trainHead } from './math/train.ts';
import type { HeadSettings } from './records.ts';
import { readTrainingSet } from './training-set.ts';
import type { VersionStore } from './version-store.ts';

/** What training works with. */
export interface TrainingWork {
  readonly store: ObjectStore;
  /** The compiled kernels of training. */
  readonly kernels: WebAssembly.Module;
  /** Takes memory. @throws RuntimeError. */
  acquire(bytes: number, what: string): Promise<{ release(): void }>;
}

/** What a trainer is made of. */
export interface HeadTrainerOptions {
  readonly examples: ExampleStore;
  readonly versions: VersionStore;
  /** What the isolate gives; asked for when it is needed. */
  work(): TrainingWork;
  /** Writes the index of the head. */
  publish(): Promise<void>;
}

/** See the file's header. */
export class HeadTrainer {
  readonly #options: HeadTrainerOptions;
  /** Ends when the training under way has ended. */
  #training: Promise<void> = Promise.resolve();

  constructor(options: HeadTrainerOptions) {
    this.#options = options;
  }

  /** One training after the other: the second finds that nothing is left to do. @throws RuntimeError, ModelError. */
  trainIfStale(): Promise<void> {
    const next = this.#training.then(async () => {
      const { versions, examples } = this.#options;
      const { revision, trainedRevision } = versions.progress;
      if (revision === trainedRevision) return;
      try {
        if (examples.counts().ready === 0) throw new HeadError('head_untrainable', 'the head has no example');
        await this.#trainRevision(revision);
      } catch (error) {
        if (!(error instanceof HeadError)) throw error;
        versions.update({ trainedRevision: revision, error: { code: error.code, message: error.message } });
      }
    });
    this.#training = next.catch(() => {});
    return next;
  }

  async #trainRevision(revision: number): Promise<void> {
    const { versions } = this.#options;
    const settings = versions.settings!;
    const { owner, name } = settings;
    const facts = await this.#trainVersion(settings);
    const current = versions.settings;
    // It may have been deleted meanwhile, or have another backbone.
    if (facts === null || current === null) {
      if (facts !== null) await removeVersion(this.#options.work().store, owner, name, facts.version);
      return;
    }
    versions.addVersion(facts);
    if (this.#isPromoted(facts, current)) {
      versions.moveAlias(DEFAULT_ALIAS, facts.version, new Date().toISOString());
    }
    versions.update({ trainedRevision: revision, error: null, unpublished: true });
    const surplus = this.#surplusVersions();
    for (const version of surplus) versions.deleteVersion(version);
    await this.#options.publish();
    for (const version of surplus) await removeVersion(this.#options.work().store, owner, name, version);
  }

  /** Null where the head has got another backbone since: its examples are to be embedded again first. */
  async #trainVersion(settings: HeadSettings): Promise<HeadVersion | null> {
    const { examples, versions } = this.#options;
    const work = this.#options.work();
    const { training, dimensions } = settings;
    const { ready } = examples.counts();
    const classes = examples.classes().size;
    checkHeadLimit('multiplications', trainingCost(training.method, ready, dimensions, classes), 'training');
    const bytes = trainingBytes(training.method, ready, dimensions, classes);
    checkHeadLimit('trainingBytes', bytes, 'bytes of training');
    const lease = await work.acquire(bytes, 'training the head');
    try {
      if (versions.settings?.backbone.version !== settings.backbone.version) return null;
      const set = readTrainingSet(examples, dimensions, settings.multiLabel);
      const { head, report } = trainHead(set, training, new LinearAlgebra(work.kernels));
      return await storeVersion(work.store, settings, head, report, new Date().toISOString());
    } finally {
      lease.release();
    }
  }

  #isPromoted({ accuracy }: HeadVersion, { promotion, promotionMargin }: HeadSettings): boolean {
    const { versions } = this.#options;
    const current = versions.alias(DEFAULT_ALIAS);
    if (current === null || promotion === 'always') return true;
    if (promotion === 'never') return false;
    const before = versions.version(current.version)?.accuracy ?? null;
    return before === null || (accuracy !== null && accuracy >= before - promotionMargin);
  }

  /** The oldest versions beyond the limit that no alias names. */
  #surplusVersions(): string[] {
    const { versions } = this.#options;
    const named = new Set(Object.values(versions.aliases()).map(({ version }) => version));
    const all = versions.versions();
    const surplus = all.length - HEAD_LIMITS.versions;
    if (surplus <= 0) return [];
    return all
      .map(({ version }) => version)
      .filter((version) => !named.has(version))
      .slice(-surplus);
  }
}
