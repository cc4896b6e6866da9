/**
 * What can be wrong with a machine or a deployment, and the line that mends it. Pure: facts in, findings out; gathering them is
 * `gather.ts`'s job.
 */
import { QUEUE_KINDS, queueKind } from '../../../worker/queue-kinds.ts';
import type { WranglerConfig } from '../deploy/wrangler-config.ts';

/** A model that the store names. */
export interface ModelFacts {
  readonly name: string;
  /** The version of every alias, and whether it is there whole. */
  readonly aliases: readonly { readonly alias: string; readonly version: string; readonly isWhole: boolean }[];
}

/** A running deployment. */
export interface ServiceFacts {
  readonly url: string;
  /** Status of `GET /healthz`; null where nothing answered. */
  readonly health: number | null;
  /** Status and body of `GET /readyz`. */
  readonly ready: { readonly status: number; readonly body: string } | null;
  /** Its clock less ours, in ms; null where it did not say. */
  readonly clockSkewMs: number | null;
}

/** All that is known. */
export interface Facts {
  readonly nodeVersion: string;
  /** Versions of packages: what package.json pins, and what is installed (null: nothing). */
  readonly packages: readonly { readonly name: string; readonly wanted: string; readonly installed: string | null }[];
  readonly config: WranglerConfig;
  /** False where the environments of wrangler.toml differ from its top level. */
  readonly environmentsMatch: boolean;
  readonly models: readonly ModelFacts[];
  readonly defaultModel: { readonly name: string; readonly reference: string };
  /** Why the default model does not fit into the memory budget; null where it does, or where it is not there. */
  readonly memoryProblem: string | null;
  /** API keys that are not expired, and all; null where keys do not matter: local, or `AUTH=none`. */
  readonly keys: { readonly valid: number; readonly all: number } | null;
  /** Null where no deployment is asked. */
  readonly service: ServiceFacts | null;
}

/** Something that is wrong. */
export interface Finding {
  readonly check: string;
  readonly problem: string;
  /** A command or an edit that mends it. */
  readonly mend: string;
}

const MIN_NODE_MAJOR = 24;
const MAX_CLOCK_SKEW_MS = 60_000;

/** Bindings that the worker cannot do without. */
const BUCKETS = ['MODELS', 'UPLOADS', 'JOBS'];
const PRODUCERS = ['MODERATION_QUEUE', 'JOBS_QUEUE'];
const OBJECTS = ['BULK_JOB', 'JOB_DIRECTORY', 'MODERATION_LEDGER'];
const LIMITERS = ['RATE_LIMITER', 'RATE_LIMITER_HIGH'];

type Check = (facts: Facts) => readonly Omit<Finding, 'check'>[];

/** Every check, by name. */
const CHECKS: Readonly<Record<string, Check>> = {
  node({ nodeVersion }) {
    if (Number(nodeVersion.split('.')[0]) >= MIN_NODE_MAJOR) return [];
    return [{ problem: `Node ${nodeVersion} runs the scripts; ${MIN_NODE_MAJOR} is needed`, mend: 'npm ci' }];
  },
  packages({ packages }) {
    return packages
      .filter(({ wanted, installed }) => wanted !== installed)
      .map(({ name, wanted, installed }) => ({
        problem: `${name} is ${installed ?? 'not installed'}; package.json pins ${wanted}`,
        mend: 'npm ci',
      }));
  },
  environments({ environmentsMatch }) {
    if (environmentsMatch) return [];
    return [{ problem: 'the environments of wrangler.toml differ from its top level', mend: 'npm run environments' }];
  },
  bindings({ config }) {
    const present = new Set([
      ...config.r2_buckets.map(({ binding }) => binding),
      ...(config.queues.producers ?? []).map(({ binding }) => binding),
      ...config.durable_objects.bindings.map(({ name }) => name),
      ...config.ratelimits.map(({ name }) => name),
    ]);
    return [...BUCKETS, ...PRODUCERS, ...OBJECTS, ...LIMITERS]
      .filter((name) => !present.has(name))
      .map((name) => ({
        problem: `wrangler.toml binds nothing as ${name}`,
        mend: 'git checkout -- wrangler.toml, or add the binding',
      }));
  },
  queues({ config }) {
    const consumed = (config.queues.consumers ?? []).map(({ queue }) => queue);
    const kinds = new Set(consumed.map(queueKind));
    const missing = QUEUE_KINDS.filter((kind) => !kinds.has(kind)).map((kind) => `bit-edge-${kind}`);
    const sent = (config.queues.producers ?? []).map(({ queue }) => queue).filter((queue) => !consumed.includes(queue));
    return [...new Set([...missing, ...sent])].map((queue) => ({
      problem: `nothing consumes ${queue}: its messages are dropped after four days`,
      mend: `add [[queues.consumers]] queue = "${queue}" to wrangler.toml`,
    }));
  },
  'dead letters'({ config }) {
    return (config.queues.consumers ?? [])
      .filter(({ queue, dead_letter_queue: dead }) => !queue.endsWith('-dead') && dead === undefined)
      .map(({ queue }) => ({
        problem: `${queue} has no dead-letter queue: what fails too often is lost`,
        mend: `add dead_letter_queue = "${queue}-dead" to its consumer in wrangler.toml`,
      }));
  },
  aliases({ models }) {
    return models.flatMap(({ name, aliases }) =>
      aliases
        .filter(({ isWhole }) => !isWhole)
        .map(({ alias, version }) => ({
          problem: `${name}@${alias} points at version ${version}, which is not there whole`,
          mend: `npm run -s bit-edge -- rollback ${name} ${alias}, or publish ${version} again`,
        })),
    );
  },
  'default model'({ models, defaultModel: { name, reference } }) {
    const model = models.find((each) => each.name === name);
    if (model?.aliases.some(({ alias, version }) => alias === reference || version === reference) === true) return [];
    const mend = 'npm start (here), npm run deploy, or bit-edge publish OUT --alias latest';
    return [{ problem: `${name}@${reference}, the default model, is not in the store`, mend }];
  },
  memory({ memoryProblem }) {
    if (memoryProblem === null) return [];
    const mend = 'import it at a lower --size, or raise MEMORY_BUDGET_BYTES (the platform ends an isolate at 128 MB)';
    return [{ problem: memoryProblem, mend }];
  },
  keys({ keys }) {
    if (keys === null || keys.valid > 0) return [];
    const problem =
      keys.all === 0 ? 'there is no API key: every request gets 500' : `all ${keys.all} API keys are expired`;
    return [{ problem, mend: 'npm run -s bit-edge -- keys create --name NAME --remote' }];
  },
  service({ service }) {
    if (service === null || service.health === 200) return [];
    const problem = service.health === null ? 'nothing answers' : `GET /healthz is ${service.health}`;
    return [{ problem: `${service.url}: ${problem}`, mend: 'npm start, npm run deploy, or npx wrangler tail' }];
  },
  ready({ service }) {
    if (service === null || service.ready === null || service.ready.status === 200) return [];
    const { status, body } = service.ready;
    return [{ problem: `GET /readyz is ${status}: ${detailOf(body)}`, mend: 'mend what it says, then ask again' }];
  },
  clock({ service }) {
    const skew = service?.clockSkewMs ?? 0;
    if (Math.abs(skew) <= MAX_CLOCK_SKEW_MS) return [];
    const seconds = Math.round(Math.abs(skew) / 1000);
    const problem = `this machine's clock is ${seconds} s ${skew > 0 ? 'slow' : 'fast'}: signatures are refused beyond 300 s`;
    return [{ problem, mend: 'set the clock (timedatectl set-ntp true)' }];
  },
};

/** The names of all checks. */
export const CHECK_NAMES: readonly string[] = Object.keys(CHECKS);

/** Everything that is wrong, in the order of the checks. */
export function examine(facts: Facts): Finding[] {
  return Object.entries(CHECKS).flatMap(([check, run]) => run(facts).map((finding) => ({ check, ...finding })));
}

/** The detail of a problem document, or the body as it is. */
function detailOf(body: string): string {
  try {
    const { detail } = JSON.parse(body) as { readonly detail?: unknown };
    if (typeof detail === 'string') return detail;
  } catch {
    // Not JSON: somebody else's page.
  }
  return body.slice(0, 200);
}
