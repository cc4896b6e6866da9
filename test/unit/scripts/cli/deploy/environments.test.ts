/** What wrangler makes of each environment of wrangler.toml, against its top level. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ENVIRONMENT_NAMES, withEnvironments } from '../../../../../scripts/cli/deploy/environments.ts';
import { readWranglerConfig, type WranglerConfig } from '../../../../../scripts/cli/deploy/wrangler-config.ts';
import { QUEUE_KINDS, queueKind } from '../../../../../worker/queue-kinds.ts';

const PATH = fileURLToPath(new URL('../../../../../wrangler.toml', import.meta.url));

const read = (environment: string | null) => readWranglerConfig(PATH, environment);

/** What an environment has to have of the top level, resource names without their prefix. */
function comparable(config: WranglerConfig, prefix: string): unknown {
  const { r2_buckets, queues, durable_objects, ratelimits, migrations, limits, observability, keep_vars } = config;
  const text = JSON.stringify({
    main: config.main,
    compatibility: [config.compatibility_date, config.compatibility_flags],
    bindings: [r2_buckets, queues, durable_objects, ratelimits.map(({ namespace_id: _, ...rest }) => rest)],
    settings: [migrations, limits, observability, keep_vars, config.assets, config.vars],
  });
  return JSON.parse(text.replaceAll(`"${prefix}-`, '"bit-edge-'));
}

describe('environments of wrangler.toml', () => {
  it('are what "npm run environments" writes', () => {
    const text = readFileSync(PATH, 'utf8');
    expect(withEnvironments(text)).toBe(text);
  });

  it.each(ENVIRONMENT_NAMES)('%s has every binding and setting of the top level', (name) => {
    const config = read(name);
    expect(comparable(config, config.name ?? '')).toEqual(comparable(read(null), 'bit-edge'));
  });

  it('share no bucket, queue, worker name or rate limit between staging and production', () => {
    const [staging, production] = ['staging', 'production'].map((name) => {
      const { name: worker, r2_buckets, queues, ratelimits } = read(name);
      return [
        worker,
        ...r2_buckets.map((each) => each.bucket_name),
        ...queues.consumers!.map((each) => each.queue),
        ...ratelimits.map((each) => each.namespace_id),
      ];
    });
    expect(staging!.filter((name) => production!.includes(name))).toEqual([]);
  });

  it.each(ENVIRONMENT_NAMES)('%s: every queue that is consumed has a consumer in the worker', (name) => {
    const { queues } = read(name);
    const kinds = queues.consumers!.map(({ queue }) => queueKind(queue));
    expect(new Set(kinds)).toEqual(new Set(QUEUE_KINDS));
  });

  it.each(ENVIRONMENT_NAMES)('%s: every dead-letter queue is consumed', (name) => {
    const consumers = read(name).queues.consumers!;
    const consumed = consumers.map(({ queue }) => queue);
    for (const { dead_letter_queue: dead } of consumers) if (dead !== undefined) expect(consumed).toContain(dead);
  });
});
