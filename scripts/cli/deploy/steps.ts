/**
 * The steps from an empty account to a serving deployment, in order. A step knows whether what it makes is there already, so a
 * run that failed or was killed is continued by running again, and a second run changes nothing. No I/O of its own.
 */
import type { Account } from './account.ts';
import type { WranglerConfig } from './wrangler-config.ts';

/** One step. */
export interface Step {
  /** What is there afterwards: `bucket bit-edge-models`. */
  readonly what: string;
  /** True where it is there already. */
  isDone(): Promise<boolean>;
  /** Makes it. May be called again after a failure whose outcome is not known. */
  make(): Promise<void>;
}

/** What became of a step. */
export type Outcome = 'there' | 'made' | 'would be made';

/** A step failed; those before it are done. */
export class StepError extends Error {
  override readonly name = 'StepError';
  readonly what: string;
  readonly done: readonly string[];

  constructor(what: string, done: readonly string[], cause: unknown) {
    super(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.what = what;
    this.done = done;
  }
}

/** Buckets that the configuration binds. */
export function bucketNames(config: WranglerConfig): string[] {
  return config.r2_buckets.flatMap(({ bucket_name: name }) => (name === undefined ? [] : [name]));
}

/** Queues that the configuration sends to, consumes, or lets dead letters go to; each once. */
export function queueNames(config: WranglerConfig): string[] {
  const { producers = [], consumers = [] } = config.queues;
  const dead = consumers.flatMap(({ dead_letter_queue: name }) => (name === undefined ? [] : [name]));
  return [...new Set([...producers, ...consumers].map(({ queue }) => queue).concat(dead))];
}

/** The steps that make the account's resources. `uploadPrefix` null: no event notifications. */
export function resourceSteps(account: Account, config: WranglerConfig, uploadPrefix: string | null): Step[] {
  const steps = bucketNames(config).map(
    (name): Step => ({
      what: `bucket ${name}`,
      isDone: () => account.hasBucket(name),
      make: () => account.createBucket(name),
    }),
  );
  for (const name of queueNames(config)) {
    steps.push({
      what: `queue ${name}`,
      isDone: async () => (await account.queues()).has(name),
      make: () => account.createQueue(name),
    });
  }
  if (uploadPrefix !== null) steps.push(uploadEventsStep(account, config, uploadPrefix));
  return steps;
}

function uploadEventsStep(account: Account, config: WranglerConfig, prefix: string): Step {
  const bucket = config.r2_buckets.find(({ binding }) => binding === 'UPLOADS')?.bucket_name ?? '';
  const queue = queueNames(config).find((name) => name.endsWith('-r2-events')) ?? '';
  const queueId = async (): Promise<string | undefined> => (await account.queues()).get(queue);
  return {
    what: `event notifications of ${bucket}/${prefix} to ${queue}`,
    async isDone() {
      const id = await queueId();
      return id !== undefined && (await account.hasUploadEvents(bucket, id, prefix));
    },
    async make() {
      const id = await queueId();
      if (id === undefined) throw new Error(`queue ${queue} is not there`);
      await account.addUploadEvents(bucket, id, prefix);
    },
  };
}

/**
 * Goes through the steps in order.
 * @param report told of every step as it is done.
 * @param dryRun true: nothing is made.
 * @throws StepError at the first step that fails; what was made before stays.
 */
export async function runSteps(
  steps: readonly Step[],
  report: (what: string, outcome: Outcome) => void,
  dryRun = false,
): Promise<void> {
  const done: string[] = [];
  for (const step of steps) {
    try {
      const outcome = (await isDone(step, dryRun)) ? 'there' : dryRun ? 'would be made' : await make(step);
      report(step.what, outcome);
      done.push(step.what);
    } catch (error) {
      throw new StepError(step.what, done, error);
    }
  }
}

/** In a dry run a step may look at what an earlier one would have made; then it is not done. */
async function isDone(step: Step, dryRun: boolean): Promise<boolean> {
  try {
    return await step.isDone();
  } catch (error) {
    if (dryRun) return false;
    throw error;
  }
}

/** An answer can be lost after the work was done, and somebody else can be quicker: what counts is that it is there. */
async function make(step: Step): Promise<Outcome> {
  try {
    await step.make();
    return 'made';
  } catch (error) {
    if (await step.isDone().catch(() => false)) return 'made';
    throw error;
  }
}
