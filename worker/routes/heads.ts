/** `/v1/heads`: classifiers that are taught by example. */
import { type Context, Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import * as z from 'zod';
import { NAME_PATTERN } from '../../model-store/layout.ts';
import { HeadError, RequestError } from '../errors.ts';
import type { FoundHead } from '../heads/head-library.ts';
import { DEFAULT_ALIAS } from '../heads/head-names.ts';
import { accept } from '../heads/head-service.ts';
import type { HeadIndex } from '../heads/layout.ts';
import { DEFAULT_TRAINING, type TrainingOptions } from '../heads/math/train.ts';
import type { HeadSettings, HeadStatus } from '../heads/records.ts';
import { reportMarkdown } from '../heads/report/report-markdown.ts';
import { reportSvg } from '../heads/report/report-svg.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { readSmallJson, withBody } from './support/body-lease.ts';
import {
  checkReserved,
  type HeadOptions,
  headChangesSchema,
  newHeadFieldsSchema,
  newHeadSchema,
  readHeadRequest,
} from './support/head-request.ts';
import { parseModelReference, tenantOf } from './support/model-reference.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';

/** How often progress is sent, in ms. */
const PROGRESS_MS = 500;

/** `unknown: true`. */
const DEFAULT_UNKNOWN_RATE = 0.05;

const DEFAULT_MARGIN = 0.02;

/** `GET /v1/heads/{head}/report`. */
export const reportQuerySchema = z.strictObject({ format: z.enum(['json', 'markdown', 'svg']).default('json') });

/** `PUT /v1/heads/{name}/aliases/{alias}`. */
export const headAliasRequestSchema = z.strictObject({ version: z.string().regex(NAME_PATTERN, 'must be a version') });

/** `{head}` is a name, `name@version` or `name@alias`. */
export const headsRoutes = new Hono<AppEnvironment>()
  .use('/v1/heads/*', requireScope('heads'))
  .post('/v1/heads', (c) =>
    withBody(c, { reference: null }, async (memory) => {
      const schemas = { fields: newHeadFieldsSchema, json: newHeadSchema };
      const { fields, inputs } = await readHeadRequest(c, memory, schemas);
      const { heads, config } = c.var.services;
      const { name, backbone, multi_label: multiLabel, keep_pictures: keepPictures, ...options } = fields;
      if (await isModel(c, name)) {
        throw new RequestError('conflict', `"${name}" is a model; a head needs a name of its own`, {
          details: { head: name },
        });
      }
      const reference = parseModelReference(backbone, config);
      const described = await heads.describeBackbone(reference);
      const training = trainingOf(options, DEFAULT_TRAINING);
      checkReserved(inputs, training.unknownRate);
      checkTrainable(
        inputs.map(({ labels }) => labels),
        multiLabel ?? false,
      );
      const settings: HeadSettings = {
        name,
        owner: tenantOf(c),
        backbone: { name: reference.name, version: described.version },
        dimensions: described.dimensions,
        training,
        multiLabel: multiLabel ?? false,
        promotion: options.promote ?? 'always',
        promotionMargin: options.promote_margin ?? DEFAULT_MARGIN,
        keepPictures: keepPictures ?? false,
        createdAtMs: Date.now(),
        idempotencyKey: c.req.header('idempotency-key') ?? null,
      };
      const status = await heads.create(settings, inputs, (promise) => c.executionCtx.waitUntil(promise));
      c.header('location', `/v1/heads/${name}`);
      return c.json(toAnswer(status), status.counts.pending === 0 ? 201 : 202);
    }),
  )
  .get('/v1/heads', async (c) => {
    refuseParameters(c.req.url);
    const heads = await c.var.services.heads.list(tenantOf(c));
    return c.json({ heads: heads.map((index) => toListed(index, tenantOf(c))) });
  })
  .get('/v1/heads/:head', async (c) => {
    refuseParameters(c.req.url);
    const { name, reference } = headOf(c);
    const index = await indexOf(c, name);
    const status = await c.var.services.heads.status(index.owner, name);
    if (reference === null) return c.json(toAnswer(status));
    const version = status.aliases[reference]?.version ?? reference;
    const found = status.versions.find((each) => each.version === version);
    if (found === undefined) throw notFound(`${name} has no version "${reference}"`);
    return c.json({ ...toAnswer(status), version: found });
  })
  .get('/v1/heads/:head/report', async (c) => {
    const { format } = parseParameters(reportQuerySchema, new URL(c.req.url).searchParams, {});
    const { library } = c.var.services.heads;
    const { name, reference } = headOf(c);
    const found = await library.find({ name, reference: reference ?? DEFAULT_ALIAS, tenant: tenantOf(c) });
    if (found === null) throw notFound(`there is no head "${name}"`);
    const report = await library.report(found);
    if (format === 'json') return c.json({ ...nameOf(found), ...report });
    if (format === 'svg') {
      c.header('content-type', 'image/svg+xml');
      return c.body(reportSvg(nameOf(found), report));
    }
    c.header('content-type', 'text/markdown; charset=utf-8');
    return c.body(reportMarkdown(nameOf(found), report));
  })
  .patch('/v1/heads/:head', async (c) => {
    const { name, settings } = await ownHead(c);
    const body = await readSmallJson(c);
    const { backbone, ...options } = parseParameters(headChangesSchema, new URL(c.req.url).searchParams, body);
    const { heads, config } = c.var.services;
    // First: if it is refused, nothing is changed.
    if (backbone !== undefined) await heads.changeBackbone(tenantOf(c), name, parseModelReference(backbone, config));
    const changes = {
      training: trainingOf(options, settings.training),
      promotion: options.promote ?? settings.promotion,
      promotionMargin: options.promote_margin ?? settings.promotionMargin,
    };
    accept(await heads.stub(tenantOf(c), name).configure(changes));
    const status = await heads.status(tenantOf(c), name);
    return c.json(toAnswer(status), status.counts.pending === 0 ? 200 : 202);
  })
  .delete('/v1/heads/:head', async (c) => {
    refuseParameters(c.req.url);
    const { heads } = c.var.services;
    const { name, reference } = headOf(c);
    const status = await heads.status(tenantOf(c), name);
    const stub = heads.stub(tenantOf(c), name);
    if (reference === null) await heads.destroy(tenantOf(c), name);
    else accept(await stub.deleteVersion(reference));
    heads.library.forget(tenantOf(c), name);
    return c.json({ name, deleted: reference === null ? status.versions.map(({ version }) => version) : [reference] });
  })
  .post('/v1/heads/:head/train', async (c) => {
    refuseParameters(c.req.url);
    const { name } = await ownHead(c);
    const { heads } = c.var.services;
    accept(await heads.stub(tenantOf(c), name).train());
    heads.library.forget(tenantOf(c), name);
    return c.json(toAnswer(await heads.status(tenantOf(c), name)));
  })
  .get('/v1/heads/:head/events', async (c) => {
    refuseParameters(c.req.url);
    const { name } = await ownHead(c);
    const { heads } = c.var.services;
    const tenant = tenantOf(c);
    return streamSSE(c, async (stream) => {
      for (;;) {
        const status = await heads.status(tenant, name);
        await stream.writeSSE({ event: 'progress', data: JSON.stringify(toAnswer(status)) });
        if (stream.aborted) return;
        if (status.state !== 'embedding' && status.state !== 'stale') {
          return stream.writeSSE({ event: 'end', data: status.state });
        }
        await stream.sleep(PROGRESS_MS);
      }
    });
  })
  .put('/v1/heads/:head/aliases/:alias', async (c) => {
    const { name } = await ownHead(c);
    const alias = aliasOf(c);
    const body = await readSmallJson(c);
    const { version } = parseParameters(headAliasRequestSchema, new URL(c.req.url).searchParams, body);
    const { heads } = c.var.services;
    const { from } = accept(await heads.stub(tenantOf(c), name).moveAlias(alias, version));
    heads.library.forget(tenantOf(c), name);
    return c.json({ name, alias, from, to: version });
  })
  .delete('/v1/heads/:head/aliases/:alias', async (c) => {
    refuseParameters(c.req.url);
    const { name } = await ownHead(c);
    const alias = aliasOf(c);
    const { heads } = c.var.services;
    const { from } = accept(await heads.stub(tenantOf(c), name).deleteAlias(alias));
    heads.library.forget(tenantOf(c), name);
    return c.json({ name, alias, from, to: null });
  })
  .post('/v1/heads/:head/aliases/:alias/rollback', async (c) => {
    refuseParameters(c.req.url);
    const { name } = await ownHead(c);
    const alias = aliasOf(c);
    const { heads } = c.var.services;
    const { from, to } = accept(await heads.stub(tenantOf(c), name).rollback(alias));
    heads.library.forget(tenantOf(c), name);
    return c.json({ name, alias, from, to });
  })
  .put('/v1/heads/:head/grants/:key', (c) => changeGrant(c, true))
  .delete('/v1/heads/:head/grants/:key', (c) => changeGrant(c, false));

async function changeGrant(c: Context<AppEnvironment>, granted: boolean): Promise<Response> {
  refuseParameters(c.req.url);
  const { name } = await ownHead(c);
  const key = c.req.param('key') ?? '';
  if (!/^[0-9a-f]{16}$/.test(key) || key === tenantOf(c)) {
    throw new RequestError('invalid_parameter', `"${key.slice(0, 40)}" is not the id of another API key`, {
      details: { parameter: 'key' },
    });
  }
  const { heads } = c.var.services;
  await heads.setGrant(tenantOf(c), name, key, granted);
  return c.json(toAnswer(await heads.status(tenantOf(c), name)));
}

/** The head of the path, which must be the caller's own. @throws HeadError `head_not_found`. */
export async function ownHead(c: Context<AppEnvironment>): Promise<{ name: string; settings: HeadSettings }> {
  const name = c.req.param('head') ?? '';
  if (!NAME_PATTERN.test(name)) throw notFound(`there is no head "${name.slice(0, 80)}"`);
  const { settings } = await c.var.services.heads.status(tenantOf(c), name);
  return { name, settings };
}

function headOf(c: Context<AppEnvironment>): { name: string; reference: string | null } {
  const text = c.req.param('head') ?? '';
  const at = text.indexOf('@');
  const name = at < 0 ? text : text.slice(0, at);
  const reference = at < 0 ? null : text.slice(at + 1);
  if (!NAME_PATTERN.test(name) || (reference !== null && !NAME_PATTERN.test(reference))) {
    throw notFound(`there is no head "${text.slice(0, 80)}"`);
  }
  return { name, reference };
}

/** The head's index, its own or one that is shared with the caller. */
async function indexOf(c: Context<AppEnvironment>, name: string): Promise<{ readonly owner: string }> {
  const { library } = c.var.services.heads;
  return (await library.index(tenantOf(c), name)) ?? { owner: tenantOf(c) };
}

function aliasOf(c: Context<AppEnvironment>): string {
  const alias = c.req.param('alias') ?? '';
  if (NAME_PATTERN.test(alias)) return alias;
  throw new RequestError('invalid_parameter', `"${alias.slice(0, 80)}" is not an alias: 1 to 64 of a-z 0-9 . _ -`, {
    details: { parameter: 'alias' },
  });
}

/** True for the name of a published model: it would no longer be found by a tenant with a head of that name. */
async function isModel(c: Context<AppEnvironment>, name: string): Promise<boolean> {
  const { models, config } = c.var.services;
  if (name === config.defaultModel) return true;
  return (await models.list(`models/${name}/`)).objects.length > 0;
}

function trainingOf(options: HeadOptions, before: TrainingOptions): TrainingOptions {
  const { unknown } = options;
  const rate = unknown === true ? DEFAULT_UNKNOWN_RATE : unknown === false ? null : unknown;
  return {
    method: options.method ?? before.method,
    features: options.features ?? before.features,
    lambda: options.lambda ?? before.lambda,
    c: options.c ?? before.c,
    balanced: options.balanced ?? before.balanced,
    unknownRate: rate === undefined ? before.unknownRate : rate,
  };
}

/** What can never be trained is refused before a picture is looked at. */
function checkTrainable(labelled: readonly (readonly string[])[], multiLabel: boolean): void {
  const several = labelled.find((labels) => labels.length > 1);
  if (several !== undefined && !multiLabel) {
    throw new RequestError('invalid_parameter', `a picture has ${several.length} labels; set "multi_label"`, {
      details: { parameter: 'multi_label' },
    });
  }
  const classes = new Set(labelled.flat()).size;
  if (classes >= (multiLabel ? 1 : 2)) return;
  throw new HeadError('head_untrainable', `the head has ${classes} class; it needs 2`, { details: { classes } });
}

function nameOf({ name, version }: FoundHead): { name: string; version: string; backbone: string } {
  return { name, version: version.version, backbone: `${version.backbone.name}@${version.backbone.version}` };
}

function toAnswer(status: HeadStatus) {
  const { settings, state, counts, classes, aliases, versions, grants, error } = status;
  const { name, owner, backbone, training, multiLabel, promotion, promotionMargin, keepPictures } = settings;
  return {
    name,
    owner,
    state,
    backbone,
    dimensions: settings.dimensions,
    multi_label: multiLabel,
    keep_pictures: keepPictures,
    training: {
      method: training.method,
      features: training.features,
      lambda: training.lambda,
      c: training.c,
      balanced: training.balanced,
      unknown: training.unknownRate,
    },
    promote: promotion,
    promote_margin: promotionMargin,
    examples: counts,
    classes,
    aliases: Object.fromEntries(Object.entries(aliases).map(([alias, { version }]) => [alias, version])),
    versions,
    grants,
    error,
    created_at: new Date(settings.createdAtMs).toISOString(),
    links: {
      self: `/v1/heads/${name}`,
      examples: `/v1/heads/${name}/examples`,
      report: `/v1/heads/${name}/report`,
      events: `/v1/heads/${name}/events`,
    },
  };
}

function toListed({ name, owner, created_at, aliases, versions }: HeadIndex, tenant: string) {
  const latest = versions.find(({ version }) => version === aliases[DEFAULT_ALIAS]?.version) ?? null;
  return { name, owner, own: owner === tenant, created_at, latest, versions: versions.length };
}

function notFound(message: string): HeadError {
  return new HeadError('head_not_found', message);
}
