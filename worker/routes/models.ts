/**
 * Models over HTTP. For everyone: what the bucket holds, what one version is, its labels, and whether this isolate has it loaded.
 * For admins: moving an alias, and loading a version before the first request needs it.
 */
import { type Context, Hono } from 'hono';
import * as z from 'zod';
import { NAME_PATTERN } from '../../model-store/layout.ts';
import { readVerifiedJson, whileReading } from '../../model-store/load.ts';
import { type Manifest, manifestFunction, type Variant } from '../../model-store/manifest.ts';
import {
  deleteAlias,
  listAliases,
  listVersions,
  moveAlias,
  readManifest,
  rollback,
} from '../../model-store/versions.ts';
import { RequestError } from '../errors.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { readSmallJson } from './support/body-lease.ts';
import { parseModelReference } from './support/model-reference.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';

/** `PUT /v1/models/{name}/aliases/{alias}`. */
export const aliasRequestSchema = z.strictObject({ version: z.string().regex(NAME_PATTERN, 'must be a version') });

/** `{model}` is a name, `name@version` or `name@alias`. */
export const modelsRoute = new Hono<AppEnvironment>()
  .get('/v1/models', async (c) => {
    refuseParameters(c.req.url);
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
          aliases: [...aliases],
          created_at: createdAt,
          bytes,
          variants: [...variants],
          loaded: loaded.has(`${name}@${version}`),
        })),
    });
  })
  .get('/v1/models/:model', async (c) => {
    const manifest = await readReferenced(c, c.req.param('model'));
    const { name, version } = manifest;
    const aliases = await whileReading(`aliases of ${name}`, () => listAliases(c.var.services.models, name));
    const isLoaded = c.var.services.host.loadedModels.some(
      (each) => each.manifest.name === name && each.manifest.version === version,
    );
    return c.json({
      name,
      version,
      aliases: [...aliases].filter(([, record]) => record.version === version).map(([alias]) => alias),
      created_at: manifest.created_at,
      source: manifest.source,
      config: manifest.config,
      num_labels: manifest.num_labels,
      function_to_apply: manifestFunction(manifest),
      labels: `/v1/models/${name}@${version}/labels`,
      default_variant: manifest.default_variant,
      variants: Object.entries(manifest.variants).map(([variant, facts]) => toVariant(variant, facts)),
      loaded: isLoaded,
    });
  })
  .get('/v1/models/:model/labels', async (c) => {
    const manifest = await readReferenced(c, c.req.param('model'));
    const labels = await readVerifiedJson(c.var.services.models, manifest, manifest.labels, null);
    return c.json({ labels: z.array(z.string()).parse(labels) });
  })
  .get('/v1/models/:model/preprocessor', async (c) => {
    const manifest = await readReferenced(c, c.req.param('model'));
    const preprocessor = await readVerifiedJson(c.var.services.models, manifest, manifest.preprocessor, null);
    return c.json({ preprocessor: z.record(z.string(), z.json()).parse(preprocessor) });
  })
  .get('/v1/models/:model/report', async (c) => {
    const manifest = await readReferenced(c, c.req.param('model'));
    const { name, version, report } = manifest;
    if (report === null) throw new RequestError('not_found', `${name}@${version} was published without a report`);
    const text = await readVerifiedJson(c.var.services.models, manifest, report, null);
    return c.json(z.record(z.string(), z.json()).parse(text));
  })
  .get('/v1/models/:name/aliases', async (c) => {
    refuseParameters(c.req.url);
    const name = c.req.param('name');
    const aliases = await whileReading(`aliases of ${name}`, () => listAliases(c.var.services.models, name));
    return c.json({ aliases: [...aliases].map(([alias, record]) => ({ alias, ...record })) });
  })
  .post('/v1/models/:name/aliases/:alias/rollback', requireScope('admin'), async (c) => {
    refuseParameters(c.req.url);
    const { name, alias } = c.req.param();
    return c.json(await rollback(c.var.services.models, name, alias, new Date().toISOString()));
  })
  .put('/v1/models/:name/aliases/:alias', requireScope('admin'), async (c) => {
    refuseParameters(c.req.url);
    const { name, alias } = c.req.param();
    const { version } = parseParameters(aliasRequestSchema, new URLSearchParams(), await readSmallJson(c));
    const now = new Date(Date.now()).toISOString();
    return c.json(await moveAlias(c.var.services.models, name, alias, version, now));
  })
  .delete('/v1/models/:name/aliases/:alias', requireScope('admin'), async (c) => {
    refuseParameters(c.req.url);
    const { name, alias } = c.req.param();
    return c.json({ name, alias, from: await deleteAlias(c.var.services.models, name, alias), to: null });
  })
  .post('/v1/models/:model/warm', requireScope('admin'), async (c) => {
    refuseParameters(c.req.url);
    const { host, config } = c.var.services;
    const { name, reference } = parseModelReference(c.req.param('model'), config);
    const { manifest } = await host.get(name, reference, (promise) => c.executionCtx.waitUntil(promise));
    return c.json({ name, version: manifest.version, loaded: true as const, heap_bytes: host.heapBytes });
  });

async function readReferenced(c: Context<AppEnvironment>, text: string): Promise<Manifest> {
  refuseParameters(c.req.url);
  const { models, host, config } = c.var.services;
  const { name, reference } = parseModelReference(text, config);
  const version = await host.resolve(name, reference);
  return whileReading(`the manifest of ${name}@${version}`, () => readManifest(models, name, version));
}

function toVariant(name: string, { model, weights, inputs, outputs, macs, parameters, wasm_heap_bytes }: Variant) {
  const bytes = model.bytes + (weights?.bytes ?? 0);
  return { name, bytes, inputs, outputs, macs, parameters, wasm_heap_bytes };
}
