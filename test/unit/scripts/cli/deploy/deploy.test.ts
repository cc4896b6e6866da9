/** Deploying into a stub of the account API that keeps state and fails on purpose. */
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryObjectStore } from '../../../../../model-store/memory-object-store.ts';
import { resolveAlias } from '../../../../../model-store/versions.ts';
import { openAccount } from '../../../../../scripts/cli/deploy/account.ts';
import { type DeployPlan, type DeployWorld, deploy } from '../../../../../scripts/cli/deploy/deploy.ts';
import { destroy } from '../../../../../scripts/cli/deploy/destroy.ts';
import { StepError } from '../../../../../scripts/cli/deploy/steps.ts';
import { readWranglerConfig } from '../../../../../scripts/cli/deploy/wrangler-config.ts';
import { deployArguments, deployTargets } from '../../../../../scripts/cli/deploy/wrangler-run.ts';
import { listApiKeys } from '../../../../../worker/auth/key-store.ts';
import { AccountStub } from '../../../../support/account-stub.ts';
import { smallVersion } from '../../../../support/small-version.ts';

const PATH = fileURLToPath(new URL('../../../../../wrangler.toml', import.meta.url));

/** Thrown where a run is cut off, as a kill would. */
class Killed extends Error {}

let stub: AccountStub;
let baseUrl: string;
let models: MemoryObjectStore;
let deployed: string[];
let lines: string[];
let keys: string[];

beforeEach(async () => {
  stub = new AccountStub();
  baseUrl = await stub.start();
  models = new MemoryObjectStore();
  deployed = [];
  lines = [];
  keys = [];
});

afterEach(() => stub.stop());

async function plan(environment: string | null = null, change: Partial<DeployPlan> = {}): Promise<DeployPlan> {
  const config = readWranglerConfig(PATH, environment);
  const model = await smallVersion();
  return { config, configPath: PATH, environment, model, uploadPrefix: 'incoming/', secretsFile: null, ...change };
}

async function world(change: Partial<DeployWorld> = {}): Promise<DeployWorld> {
  let clock = 1_800_000_000_000;
  return {
    account: await openAccount({ token: 'token', accountId: null, baseUrl }),
    withModels: (use) => use(models),
    buildHash: async () => 'build-1',
    deploy: async (args) => {
      deployed.push(deployArguments(args).join(' '));
      return ['bit-edge.example.workers.dev'];
    },
    fetch: async () => new Response('{}'),
    sleep: async (ms) => {
      clock += ms;
    },
    now: () => clock++,
    random: (bytes) => new Uint8Array(bytes).fill(7),
    report: (what, outcome) => void lines.push(`${outcome}: ${what}`),
    showKey: (key) => void keys.push(key),
    ...change,
  };
}

const BUCKETS = ['bit-edge-models', 'bit-edge-uploads', 'bit-edge-jobs'];
const QUEUES = ['moderation', 'moderation-dead', 'r2-events', 'r2-events-dead', 'jobs', 'jobs-dead'];

async function expectServing(prefix = 'bit-edge'): Promise<void> {
  expect([...stub.buckets].sort()).toEqual(BUCKETS.map((name) => name.replace('bit-edge', prefix)).sort());
  expect([...stub.queues.keys()].sort()).toEqual(expect.arrayContaining(QUEUES.map((name) => `${prefix}-${name}`)));
  const { name, version } = await smallVersion();
  expect((await resolveAlias(models, name, 'latest'))?.version).toBe(version);
  expect(await listApiKeys(models)).toHaveLength(1);
  const rules = [...stub.rules.values()].flat();
  expect(rules).toMatchObject([
    { prefix: 'incoming/', actions: ['PutObject', 'CopyObject', 'CompleteMultipartUpload'] },
  ]);
}

describe('deploy', () => {
  it('makes everything in an empty account, and gives address and first key', async () => {
    const result = await deploy(await plan(), await world(), false);
    await expectServing();
    expect(result).toEqual({ url: 'https://bit-edge.example.workers.dev', key: keys[0] });
    expect(keys[0]).toMatch(/^bek_/);
    expect(deployed).toEqual([expect.stringMatching(/--env= --keep-vars .*--var=DEFAULT_MODEL:\S+$/)]);
    expect(lines.every((line) => line.startsWith('made: '))).toBe(true);
  });

  it('changes nothing when it is run again', async () => {
    await deploy(await plan(), await world(), false);
    const before = stub.changes.length;
    lines = [];
    const again = await deploy(await plan(), await world(), false);
    expect(stub.changes.length).toBe(before);
    expect(deployed).toHaveLength(1);
    expect(keys).toHaveLength(1);
    expect(lines.every((line) => line.startsWith('there: '))).toBe(true);
    expect(again).toEqual({ url: 'https://bit-edge.example.workers.dev', key: null });
  });

  it('deploys the worker again when its code differs, and nothing else', async () => {
    await deploy(await plan(), await world(), false);
    const before = stub.changes.length;
    await deploy(await plan(), await world({ buildHash: async () => 'build-2' }), false);
    expect(stub.changes.length).toBe(before);
    expect(deployed).toHaveLength(2);
  });

  it('puts staging beside production', async () => {
    await deploy(await plan('staging'), await world(), false);
    await expectServing('bit-edge-staging');
    expect(deployed[0]).toContain('--env=staging');
  });

  it('makes nothing in a dry run, and lists what it would make', async () => {
    expect(await deploy(await plan(), await world(), true)).toBeNull();
    expect(stub.changes).toEqual([]);
    expect(deployed).toEqual([]);
    expect(lines).toContain('would be made: bucket bit-edge-models');
    expect(lines).toContain('would be made: worker bit-edge');
  });

  it.each([429, 500, 'lost'] as const)(
    'gets over %s on every call',
    async (kind) => {
      stub.faults.push(
        { match: /^POST .*r2\/buckets/, kind },
        { match: /^POST .*queues/, kind },
        { match: /^GET .*queues/, kind },
        { match: /^PUT .*event_notifications/, kind },
        { match: /^GET .*r2\/buckets\/bit-edge-jobs/, kind },
      );
      await deploy(await plan(), await world(), false);
      await expectServing();
      expect(stub.faults).toEqual([]);
    },
    60_000,
  );

  it('takes what somebody else has just made for done', async () => {
    stub.faults.push(
      { match: /^POST .*r2\/buckets/, kind: 'raced' },
      { match: /^POST .*queues/, kind: 'raced' },
      { match: /^PUT .*event_notifications/, kind: 'raced' },
    );
    await deploy(await plan(), await world(), false);
    await expectServing();
  }, 60_000);

  it('names the step that failed and goes on there the next time', async () => {
    const refusals = Array.from({ length: 20 }, () => ({ match: /^POST .*queues/, kind: 403 }) as const);
    stub.faults.push(...refusals);
    const failure = await deploy(await plan(), await world(), false).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StepError);
    expect(failure).toMatchObject({ what: 'queue bit-edge-moderation', done: BUCKETS.map((name) => `bucket ${name}`) });
    expect(stub.queues.size).toBe(0);
    stub.faults.length = 0;
    await deploy(await plan(), await world(), false);
    await expectServing();
    expect(stub.changes.filter((call) => call.startsWith('POST') && call.includes('buckets'))).toHaveLength(3);
  });

  it('reaches the same state when it is killed at any step and run again', async () => {
    let steps = 0;
    await deploy(await plan(), await world({ report: () => void steps++ }), true);
    for (let killedAt = 1; killedAt <= steps; killedAt++) {
      stub.buckets.clear();
      stub.queues.clear();
      stub.rules.clear();
      models = new MemoryObjectStore();
      let done = 0;
      const killing = await world({
        report: () => {
          if (++done === killedAt) throw new Killed();
        },
      });
      await expect(deploy(await plan(), killing, false)).rejects.toThrow(StepError);
      await deploy(await plan(), await world(), false);
      await expectServing();
    }
  }, 60_000);

  it('says why a deployment that never gets ready is not', async () => {
    const unready = await world({ fetch: async () => new Response('the model is too large', { status: 503 }) });
    await expect(deploy(await plan(), unready, false)).rejects.toThrow(/HTTP 503 the model is too large/);
  });

  it('refuses a wrong token before anything is made', async () => {
    await expect(openAccount({ token: 'wrong', accountId: null, baseUrl })).rejects.toMatchObject({ status: 401 });
  });
});

describe('destroy', () => {
  const removals = new Map<string, string>();
  const destroyed = async (deleteWorker: () => Promise<void> = async () => {}): Promise<void> => {
    const { account } = await world();
    await destroy(readWranglerConfig(PATH, null), {
      account,
      deleteWorker,
      report: (what, removal) => void removals.set(what, removal),
    });
  };

  it('takes away what deploy made, keeps a bucket that holds objects, and may be repeated', async () => {
    await deploy(await plan(), await world(), false);
    stub.queues.set('somebody-elses', 'f'.repeat(32));
    stub.filled.add('bit-edge-uploads');
    await destroyed();
    expect([...stub.queues.keys()]).toEqual(['somebody-elses']);
    expect([...stub.buckets]).toEqual(['bit-edge-uploads']);
    expect(stub.rules.size).toBe(0);
    expect(removals.get('bucket bit-edge-uploads')).toBe('kept: it holds objects');
    await destroyed();
    expect(removals.get('queue bit-edge-jobs')).toBe('was not there');
  }, 30_000);

  it('touches no queue or bucket where the worker could not be deleted', async () => {
    await deploy(await plan(), await world(), false);
    const refusal = destroyed(() => Promise.reject(new Error('refused')));
    await expect(refusal).rejects.toMatchObject({ what: 'worker bit-edge', done: [] });
    expect(stub.buckets.size).toBe(3);
  });
});

describe('deployTargets', () => {
  it('takes the addresses from the output file of wrangler deploy', () => {
    const lines = [
      '{"version":1,"type":"wrangler-session","wrangler_version":"4.164.0"}',
      '{"version":1,"type":"deploy","worker_name":"bit-edge","targets":["https://bit-edge.x.workers.dev","schedule: 0 0 * * *"]}',
    ];
    expect(deployTargets(lines.join('\n'))).toEqual(['https://bit-edge.x.workers.dev']);
  });
});
