/** Each fault that the doctor knows, seeded one at a time into healthy facts. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readWranglerConfig, type WranglerConfig } from '../../../../../scripts/cli/deploy/wrangler-config.ts';
import { CHECK_NAMES, examine, type Facts } from '../../../../../scripts/cli/doctor/checks.ts';

const CONFIG = readWranglerConfig(fileURLToPath(new URL('../../../../../wrangler.toml', import.meta.url)), null);

const HEALTHY: Facts = {
  nodeVersion: '24.21.0',
  packages: [{ name: 'wrangler', wanted: '4.164.0', installed: '4.164.0' }],
  config: CONFIG,
  environmentsMatch: true,
  models: [{ name: 'tiny', aliases: [{ alias: 'latest', version: '1', isWhole: true }] }],
  defaultModel: { name: 'tiny', reference: 'latest' },
  memoryProblem: null,
  keys: { valid: 1, all: 2 },
  service: { url: 'http://edge', health: 200, ready: { status: 200, body: '{}' }, clockSkewMs: 900 },
};

const SERVICE = HEALTHY.service!;

function without<K extends keyof WranglerConfig>(key: K, value: WranglerConfig[K]): WranglerConfig {
  return { ...CONFIG, [key]: value };
}

const [, ...consumersButOne] = CONFIG.queues.consumers!;

const FAULTS: readonly (readonly [string, Partial<Facts>, RegExp])[] = [
  ['node', { nodeVersion: '20.20.2' }, /Node 20\.20\.2 .* 24 is needed/],
  ['packages', { packages: [{ name: 'hono', wanted: '4', installed: null }] }, /hono is not installed/],
  ['environments', { environmentsMatch: false }, /differ from its top level/],
  ['bindings', { config: without('r2_buckets', CONFIG.r2_buckets.slice(1)) }, /binds nothing as MODELS/],
  [
    'queues',
    { config: without('queues', { ...CONFIG.queues, consumers: consumersButOne }) },
    /nothing consumes bit-edge-moderation/,
  ],
  [
    'dead letters',
    { config: without('queues', { ...CONFIG.queues, consumers: [...CONFIG.queues.consumers!, { queue: 'x-jobs' }] }) },
    /x-jobs has no dead-letter queue/,
  ],
  [
    'aliases',
    { models: [{ name: 'tiny', aliases: [{ alias: 'latest', version: '2', isWhole: false }] }] },
    /tiny@latest points at version 2, which is not there/,
  ],
  ['default model', { models: [] }, /tiny@latest, the default model, is not in the store/],
  ['memory', { memoryProblem: 'tiny@1 needs 120.0 MiB' }, /needs 120\.0 MiB/],
  ['keys', { keys: { valid: 0, all: 0 } }, /there is no API key/],
  ['keys', { keys: { valid: 0, all: 3 } }, /all 3 API keys are expired/],
  ['service', { service: { ...SERVICE, health: null, ready: null, clockSkewMs: null } }, /nothing answers/],
  [
    'ready',
    { service: { ...SERVICE, ready: { status: 503, body: '{"detail":"no model"}' } } },
    /\/readyz is 503: no model/,
  ],
  ['clock', { service: { ...SERVICE, clockSkewMs: -400_000 } }, /clock is 400 s fast/],
];

describe('doctor', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(examine(HEALTHY)).toEqual([]);
  });

  it.each(FAULTS)('finds a fault of %s, and how to mend it', (check, change, problem) => {
    const [finding, ...others] = examine({ ...HEALTHY, ...change });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      check,
      problem: expect.stringMatching(problem),
      mend: expect.stringMatching(/\w/),
    });
  });

  it('has a seeded fault for every check', () => {
    expect(new Set(FAULTS.map(([check]) => check))).toEqual(new Set(CHECK_NAMES));
  });
});
