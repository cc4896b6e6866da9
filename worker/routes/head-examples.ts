/** `/v1/heads/{head}/examples`: what a head has been taught. */
import { Hono } from 'hono';
import * as z from 'zod';
import { HeadError } from '../errors.ts';
import { EXAMPLE_ID_PATTERN } from '../heads/example-id.ts';
import { accept } from '../heads/head-service.ts';
import { HEAD_LIMITS } from '../heads/limits.ts';
import type { ExampleRecord } from '../heads/records.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { ownHead } from './heads.ts';
import { readSmallJson, withBody } from './support/body-lease.ts';
import {
  checkLabel,
  checkReserved,
  examplesFieldsSchema,
  examplesRequestSchema,
  readHeadRequest,
} from './support/head-request.ts';
import { parseModelReference, tenantOf } from './support/model-reference.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';

/** `GET /v1/heads/{head}/examples`. */
export const listExamplesSchema = z.strictObject({
  label: z.string().max(HEAD_LIMITS.labelBytes).optional(),
  cursor: z.string().regex(EXAMPLE_ID_PATTERN, 'must be a cursor of an earlier answer').optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

/** `DELETE /v1/heads/{head}/examples`. */
export const deleteExamplesSchema = z.strictObject({ label: z.string().min(1).max(HEAD_LIMITS.labelBytes) });

/** `PATCH /v1/heads/{head}/examples/{id}`. */
export const relabelSchema = z.strictObject({
  label: z.string().optional(),
  labels: z.array(z.string()).min(1).max(HEAD_LIMITS.labelsPerExample).optional(),
});

export const headExamplesRoutes = new Hono<AppEnvironment>()
  .use('/v1/heads/:head/examples/*', requireScope('heads'))
  .post('/v1/heads/:head/examples', async (c) => {
    const { name, settings } = await ownHead(c);
    const { heads, config } = c.var.services;
    const reference = { name: settings.backbone.name, reference: settings.backbone.version };
    return withBody(c, { reference }, async (memory) => {
      const schemas = { fields: examplesFieldsSchema, json: examplesRequestSchema };
      const { fields, inputs } = await readHeadRequest(c, memory, schemas);
      if (fields.backbone !== undefined) {
        const reference = parseModelReference(fields.backbone, config);
        const { version } = await heads.describeBackbone(reference);
        if (reference.name !== settings.backbone.name || version !== settings.backbone.version) {
          const { backbone } = settings;
          throw new HeadError(
            'head_backbone_changed',
            `the head's examples are of ${backbone.name}@${backbone.version}, not ${reference.name}@${version}`,
          );
        }
      }
      checkReserved(inputs, settings.training.unknownRate);
      const added = await heads.add(settings, inputs, (promise) => c.executionCtx.waitUntil(promise));
      const { state, counts } = await heads.status(settings.owner, name);
      return c.json({ added: added.added, known: added.known, ids: added.ids, state, examples: counts }, 202);
    });
  })
  .get('/v1/heads/:head/examples', async (c) => {
    const { name } = await ownHead(c);
    const { label, cursor, limit } = parseParameters(listExamplesSchema, new URL(c.req.url).searchParams, {});
    const stub = c.var.services.heads.stub(tenantOf(c), name);
    const page = accept(await stub.list(label ?? null, cursor ?? null, limit));
    return c.json({ examples: page.examples.map(toExample), next_cursor: page.cursor });
  })
  .delete('/v1/heads/:head/examples', async (c) => {
    const { name } = await ownHead(c);
    const { label } = parseParameters(deleteExamplesSchema, new URL(c.req.url).searchParams, {});
    return c.json(accept(await c.var.services.heads.stub(tenantOf(c), name).removeLabel(label)));
  })
  .patch('/v1/heads/:head/examples/:id', async (c) => {
    const { name, settings } = await ownHead(c);
    const body = await readSmallJson(c);
    const { label, labels } = parseParameters(relabelSchema, new URL(c.req.url).searchParams, body);
    const given = labels ?? (label === undefined ? [] : [label]);
    if (given.length === 0 || (label !== undefined && labels !== undefined)) {
      throw new HeadError('head_untrainable', 'the body must have one of "label" and "labels"');
    }
    if (given.length > 1 && !settings.multiLabel) {
      throw new HeadError('head_untrainable', `${given.length} labels; the head takes one label an example`);
    }
    const unique = [...new Set(given.map(checkLabel))].sort();
    const stub = c.var.services.heads.stub(tenantOf(c), name);
    return c.json(toExample(accept(await stub.relabel(c.req.param('id'), unique))));
  })
  .delete('/v1/heads/:head/examples/:id', async (c) => {
    refuseParameters(c.req.url);
    const { name } = await ownHead(c);
    return c.json(accept(await c.var.services.heads.stub(tenantOf(c), name).remove(c.req.param('id'))));
  });

function toExample({ id, labels, sha256, source, state, error, createdAtMs }: ExampleRecord) {
  return { id, labels, sha256, source, state, error, created_at: new Date(createdAtMs).toISOString() };
}
