/** Bulk jobs as the routes use them: accept, find, list. */
import { JobError } from '../errors.ts';
import { type AcceptParts, JobAcceptance, type NewJob } from './accept-job.ts';
import type { BulkJob } from './bulk-job.ts';
import type { DirectoryPage, JobDirectory } from './job-directory.ts';
import type { JobSettings } from './job-settings.ts';
import { isRefusal, JOB_NOT_FOUND, type JobStatus, type Refusal } from './records.ts';

/** `job_` and 32 hex digits. */
const ID_PATTERN = /^job_[0-9a-f]{32}$/;

/** What the service is made of. */
export interface JobServiceOptions extends AcceptParts {
  readonly directories: DurableObjectNamespace<JobDirectory>;
}

export class JobService {
  readonly #options: JobServiceOptions;

  constructor(options: JobServiceOptions) {
    this.#options = options;
  }

  /** The deployment's settings. */
  get settings(): JobSettings {
    return this.#options.settings;
  }

  /** The bucket of manifests and results. */
  get bucket(): R2Bucket {
    return this.#options.bucket;
  }

  /**
   * Accepts a job: its inputs are stored and its Durable Object holds it before this returns.
   * @returns its id, and whether an earlier request with the same Idempotency-Key made it.
   * @throws JobError `idempotency_conflict`, `idempotency_in_progress`; ModelError; RequestError `body_too_large`, `empty_body`.
   */
  create(job: NewJob, tenant: string): Promise<{ id: string; replayed: boolean }> {
    return new JobAcceptance(this.#options, job, tenant, this.#directory(tenant)).accept();
  }

  /** A job's Durable Object. @throws JobError `job_not_found` where the id is none. */
  find(id: string): DurableObjectStub<BulkJob> {
    if (!ID_PATTERN.test(id)) throw new JobError('job_not_found', `there is no job "${id.slice(0, 80)}"`);
    return this.#options.jobs.get(this.#options.jobs.idFromName(id));
  }

  /** Where a tenant's job is. @throws JobError `job_not_found`, also where it is another tenant's. */
  async status(id: string, tenant: string): Promise<JobStatus> {
    const status = accept<JobStatus>(await this.find(id).status());
    if (status.tenant === tenant) return status;
    return accept<JobStatus>(JOB_NOT_FOUND);
  }

  /** Stops a job. @throws JobError `job_not_found`, `job_state_conflict` where it has completed. */
  async cancel(id: string, tenant: string): Promise<void> {
    await this.status(id, tenant);
    const refusal = await this.find(id).cancel();
    if (refusal !== null) accept(refusal);
  }

  /** Makes a completed job's failed items pending again. @returns how many. @throws JobError `job_not_found`, `job_state_conflict`. */
  async retryFailed(id: string, tenant: string): Promise<number> {
    await this.status(id, tenant);
    return accept<number>(await this.find(id).retryFailed());
  }

  /** A page of a tenant's jobs, newest first. */
  list(tenant: string, cursor: string | null, limit: number): Promise<DirectoryPage> {
    return this.#directory(tenant).list(cursor, limit);
  }

  #directory(tenant: string): DurableObjectStub<JobDirectory> {
    return this.#options.directories.get(this.#options.directories.idFromName(tenant));
  }
}

function accept<T extends object | number>(answer: T | Refusal): T {
  if (!isRefusal(answer)) return answer;
  const { code, message, state } = answer.refused;
  throw new JobError(code, message, state === undefined ? {} : { details: { state } });
}
