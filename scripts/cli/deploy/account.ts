/** What a deployment asks of a Cloudflare account, through Cloudflare's official client. */
import Cloudflare, { APIError, NotFoundError, PermissionDeniedError } from 'cloudflare';

/** How often a call is repeated after 409, 429, 5xx, a timeout or a lost connection; the client waits as `Retry-After` says. */
const MAX_RETRIES = 2;

/** Object actions after which an upload is new. https://developers.cloudflare.com/r2/buckets/event-notifications/ */
const UPLOAD_ACTIONS = ['PutObject', 'CopyObject', 'CompleteMultipartUpload'] as const;

/** An account's resources; every call either happened or threw. */
export interface Account {
  readonly id: string;
  hasBucket(name: string): Promise<boolean>;
  createBucket(name: string): Promise<void>;
  /** @throws APIError where it is not empty. */
  deleteBucket(name: string): Promise<void>;
  /** Ids by name. */
  queues(): Promise<ReadonlyMap<string, string>>;
  createQueue(name: string): Promise<void>;
  deleteQueue(id: string): Promise<void>;
  /** True where uploads to the bucket under the prefix are told to the queue. */
  hasUploadEvents(bucket: string, queueId: string, prefix: string): Promise<boolean>;
  addUploadEvents(bucket: string, queueId: string, prefix: string): Promise<void>;
  deleteUploadEvents(bucket: string, queueId: string): Promise<void>;
  /** The rate plans that are paid for; null where the token may not read them. */
  ratePlans(): Promise<readonly string[] | null>;
}

/** How the API is reached. */
export interface Credentials {
  readonly token: string;
  /** Null: the only account that the token can see. */
  readonly accountId: string | null;
  /** Default: Cloudflare's. */
  readonly baseUrl?: string;
}

/**
 * Opens the account of a token.
 * @throws Error where the token sees none, or several and none is named; APIError where the API refuses it.
 */
export async function openAccount({ token, accountId, baseUrl }: Credentials): Promise<Account> {
  const client = new Cloudflare({
    apiToken: token,
    maxRetries: MAX_RETRIES,
    ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
  });
  return new CloudflareAccount(client, accountId ?? (await onlyAccount(client)));
}

async function onlyAccount(client: Cloudflare): Promise<string> {
  const accounts: { readonly id: string; readonly name: string }[] = [];
  for await (const { id, name } of client.accounts.list()) accounts.push({ id, name });
  const [first] = accounts;
  if (first === undefined) throw new Error('the token sees no account; it needs "Account Settings: Read"');
  if (accounts.length === 1) return first.id;
  const names = accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n');
  throw new Error(`the token sees ${accounts.length} accounts; set CLOUDFLARE_ACCOUNT_ID to one of:\n${names}`);
}

class CloudflareAccount implements Account {
  readonly id: string;
  readonly #client: Cloudflare;

  constructor(client: Cloudflare, id: string) {
    this.#client = client;
    this.id = id;
  }

  async hasBucket(name: string): Promise<boolean> {
    return (await orNull(this.#client.r2.buckets.get(name, { account_id: this.id }))) !== null;
  }

  async createBucket(name: string): Promise<void> {
    await this.#client.r2.buckets.create({ account_id: this.id, name });
  }

  async deleteBucket(name: string): Promise<void> {
    await this.#client.r2.buckets.delete(name, { account_id: this.id });
  }

  async queues(): Promise<ReadonlyMap<string, string>> {
    const ids = new Map<string, string>();
    for await (const { queue_name: name, queue_id: id } of this.#client.queues.list({ account_id: this.id })) {
      if (name !== undefined && id !== undefined) ids.set(name, id);
    }
    return ids;
  }

  async createQueue(name: string): Promise<void> {
    await this.#client.queues.create({ account_id: this.id, queue_name: name });
  }

  async deleteQueue(id: string): Promise<void> {
    await this.#client.queues.delete(id, { account_id: this.id });
  }

  async hasUploadEvents(bucket: string, queueId: string, prefix: string): Promise<boolean> {
    const where = { account_id: this.id, bucket_name: bucket };
    const found = await orNull(this.#client.r2.buckets.eventNotifications.get(queueId, where));
    return (found?.rules ?? []).some(
      (rule) => (rule.prefix ?? '') === prefix && UPLOAD_ACTIONS.every((action) => rule.actions.includes(action)),
    );
  }

  async addUploadEvents(bucket: string, queueId: string, prefix: string): Promise<void> {
    await this.#client.r2.buckets.eventNotifications.update(queueId, {
      account_id: this.id,
      bucket_name: bucket,
      rules: [{ actions: [...UPLOAD_ACTIONS], prefix, description: 'bit-edge: moderate uploads' }],
    });
  }

  async deleteUploadEvents(bucket: string, queueId: string): Promise<void> {
    const where = { account_id: this.id, bucket_name: bucket };
    await orNull(this.#client.r2.buckets.eventNotifications.delete(queueId, where));
  }

  async ratePlans(): Promise<readonly string[] | null> {
    const plans: string[] = [];
    try {
      for await (const { rate_plan: plan } of this.#client.accounts.subscriptions.get({ account_id: this.id })) {
        if (plan?.id !== undefined) plans.push(plan.id);
      }
    } catch (error) {
      if (error instanceof PermissionDeniedError) return null;
      throw error;
    }
    return plans;
  }
}

/** What a call gives, or null where the API says 404. */
async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

/** The API's words for a failure, with its status and codes; any other error's message. */
export function describeFailure(error: unknown): string {
  if (error instanceof APIError) {
    const details = error.errors.map(({ code, message }) => `${message ?? 'no message'} [code: ${code ?? '?'}]`);
    const status = error.status === undefined ? 'no answer' : `HTTP ${error.status}`;
    return `Cloudflare API: ${status}: ${details.length === 0 ? error.message : details.join('; ')}`;
  }
  return error instanceof Error ? error.message : String(error);
}
