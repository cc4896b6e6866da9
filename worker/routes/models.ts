/** `GET /v1/models`: what the bucket holds, and what this isolate has loaded. */
import { Hono } from 'hono';
import { whileReading } from '../../model-store/load.ts';
import { listVersions } from '../../model-store/versions.ts';
import type { AppEnvironment } from '../services.ts';

/** The route. */
export const modelsRoute = new Hono<AppEnvironment>().get('/v1/models', async (c) => {
  const { models, host, config } = c.var.services;
  const loaded = new Set(host.loadedModels.map(({ manifest }) => `${manifest.name}@${manifest.version}`));
  const versions = await whileReading('the list of models', () => listVersions(models));
  return c.json({
    default: { name: config.defaultModel, version: config.defaultModelVersion },
    models: versions
      .filter((each) => each.complete)
      .map(({ name, version, createdAt, bytes, variants, aliases }) => ({
        name,
        version,
        aliases,
        created_at: createdAt,
        bytes,
        variants,
        loaded: loaded.has(`${name}@${version}`),
      })),
  });
});
