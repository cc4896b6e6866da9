/** Takes a deployment away: the worker first, then what it used. Data stays: a bucket that holds something is left alone. */
import { APIError } from 'cloudflare';
import type { Account } from './account.ts';
import { bucketNames, queueNames, StepError } from './steps.ts';
import type { WranglerConfig } from './wrangler-config.ts';

/** What became of one resource. */
export type Removal = 'removed' | 'was not there' | 'kept: it holds objects';

/** What destroying does things with. */
export interface DestroyWorld {
  readonly account: Account;
  /** Deletes the worker, its Durable Objects and all that they hold. */
  deleteWorker(): Promise<void>;
  report(what: string, removal: Removal): void;
}

/**
 * Destroys a deployment. Safe to repeat.
 * @throws StepError naming what could not be removed; what was removed before stays removed.
 */
export async function destroy(config: WranglerConfig, { account, deleteWorker, report }: DestroyWorld): Promise<void> {
  const done: string[] = [];
  const remove = async (what: string, act: () => Promise<Removal>): Promise<void> => {
    try {
      report(what, await act());
      done.push(what);
    } catch (error) {
      throw new StepError(what, done, error);
    }
  };
  await remove(`worker ${config.name ?? 'bit-edge'}`, async () => {
    await deleteWorker();
    return 'removed';
  });
  const queues = await account.queues();
  const uploads = config.r2_buckets.find(({ binding }) => binding === 'UPLOADS')?.bucket_name;
  for (const name of queueNames(config)) {
    const id = queues.get(name);
    await remove(`queue ${name}`, async () => {
      if (id === undefined) return 'was not there';
      // A queue that a bucket's rules name cannot be deleted.
      if (uploads !== undefined && name.endsWith('-r2-events')) await account.deleteUploadEvents(uploads, id);
      await account.deleteQueue(id);
      return 'removed';
    });
  }
  for (const name of bucketNames(config)) {
    await remove(`bucket ${name}`, async () => {
      if (!(await account.hasBucket(name))) return 'was not there';
      try {
        await account.deleteBucket(name);
        return 'removed';
      } catch (error) {
        // 10008: the bucket is not empty.
        if (error instanceof APIError && error.errors.some(({ code }) => code === 10008))
          return 'kept: it holds objects';
        throw error;
      }
    });
  }
}
