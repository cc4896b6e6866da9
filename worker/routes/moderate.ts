/** `POST /v1/moderate`: one image in, a policy's verdict out. `GET /v1/decisions`: the log of all verdicts. */
import { type Context, Hono } from 'hono';
import * as z from 'zod';
import { RequestError } from '../errors.ts';
import type { ImageLocation } from '../images/image-location.ts';
import { requireScope } from '../middleware/require-scope.ts';
import { newDecisionId, sourceOf } from '../moderation/identifiers.ts';
import type { DecisionFilter, DecisionRecord } from '../moderation/ledger/records.ts';
import { decodeCursor, mergePages } from '../moderation/pages.ts';
import { ACTIONS } from '../moderation/policy/schema.ts';
import type { ModerationService } from '../moderation/service.ts';
import { API_SOURCE } from '../moderation/settings.ts';
import { type Decision, toOpenAi, toRekognition } from '../moderation/verdict-shapes.ts';
import type { AppEnvironment, Services } from '../services.ts';
import { withBody } from './support/body-lease.ts';
import { readImageInputs } from './support/image-inputs.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';
import type { BodyMemory } from './support/request-body.ts';

const number = z.union(
  [
    z.number(),
    z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .transform(Number),
  ],
  'must be a number',
);
const integer = number.pipe(z.int());
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

/** `POST /v1/moderate`: under which policy, how the answer is shaped, and what the log calls the image. */
export const moderateParametersSchema = z.strictObject({
  policy: z.string().max(130).default('default'),
  format: z.enum(['bit-edge', 'rekognition', 'openai']).default('bit-edge'),
  /** Rekognition's MinConfidence, in percent. */
  min_confidence: number.pipe(z.number().min(0).max(100)).optional(),
  id: z.string().min(1).max(256).optional(),
});

/** `GET /v1/decisions`: filters and page. */
export const decisionsParametersSchema = z.strictObject({
  source: z.string().max(32).optional(),
  verdict: z.enum(ACTIONS).optional(),
  policy: z.string().max(64).optional(),
  item_id: z.string().max(256).optional(),
  image_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
    .optional(),
  since: time.optional(),
  until: time.optional(),
  limit: integer.pipe(z.int().min(1).max(1000)).default(100),
  cursor: z.string().max(300).optional(),
});

export const moderateRoute = new Hono<AppEnvironment>()
  .use('/v1/moderate', requireScope('moderate'))
  .use('/v1/decisions/*', requireScope('moderate'))
  .post('/v1/moderate', (c) =>
    // Its model is the policy's, which the body names.
    withBody(c, { reference: null }, async (memory) => {
      const { moderation } = c.var.services;
      const { image, parameters: inBody } = await readModerationRequest(c.req.raw, c.var.services, memory);
      const parameters = parseParameters(moderateParametersSchema, new URL(c.req.url).searchParams, inBody);
      const waitUntil = (promise: Promise<unknown>) => c.executionCtx.waitUntil(promise);
      const judge = (bytes: Uint8Array<ArrayBuffer>) => {
        c.var.record.bytes = bytes.byteLength;
        return moderation.judge.judge(bytes, parameters.policy, newDecisionId(API_SOURCE), waitUntil);
      };
      const decision = await (image instanceof Uint8Array ? judge(image) : moderation.images.withImage(image, judge));
      const location = image instanceof Uint8Array ? null : image;
      waitUntil(record(moderation, decision, parameters.id ?? null, location, c.var.tenant ?? 'anonymous'));
      if (decision.model !== null) c.var.record.model = decision.model;
      switch (parameters.format) {
        case 'bit-edge':
          return c.json(decision);
        case 'rekognition':
          return c.json(toRekognition(decision, parameters.min_confidence ?? null));
        case 'openai':
          return c.json(toOpenAi(decision));
      }
    }),
  )
  .get('/v1/decisions', async (c) => {
    const { moderation } = c.var.services;
    const parameters = parseParameters(decisionsParametersSchema, new URL(c.req.url).searchParams, {});
    const sources = parameters.source === undefined ? allSources(moderation) : [parameters.source];
    for (const source of sources) checkSource(source, moderation);
    const filter: DecisionFilter = {
      ...(parameters.verdict === undefined ? {} : { verdict: parameters.verdict }),
      ...(parameters.policy === undefined ? {} : { policy: parameters.policy }),
      ...(parameters.item_id === undefined ? {} : { reference: parameters.item_id }),
      ...(parameters.image_sha256 === undefined ? {} : { imageSha256: parameters.image_sha256 }),
      ...(parameters.since === undefined ? {} : { sinceMs: parameters.since }),
      ...(parameters.until === undefined ? {} : { untilMs: parameters.until }),
    };
    const before = parameters.cursor === undefined ? null : decodeCursor(parameters.cursor);
    const { limit } = parameters;
    const lists = await Promise.all(
      sources.map((source) => {
        const tenant = visibleTenant(c, source);
        const own = tenant === null ? filter : { ...filter, tenant };
        return moderation.ledger(source).decisions(own, before, limit + 1);
      }),
    );
    const page = mergePages(lists, limit, ({ timeMs, decision }) => ({ timeMs, id: decision.id }));
    return c.json({ decisions: page.items.map(toEntry), next_cursor: page.nextCursor });
  })
  .get('/v1/decisions/:id', async (c) => {
    refuseParameters(c.req.url);
    const { moderation } = c.var.services;
    const id = c.req.param('id');
    const source = sourceOf(id);
    const isKnown = source !== null && allSources(moderation).includes(source);
    const found = isKnown ? await moderation.ledger(source).decision(id, visibleTenant(c, source)) : null;
    if (found === null) throw new RequestError('not_found', `there is no decision "${id.slice(0, 100)}"`);
    return c.json(toEntry(found));
  });

/**
 * Whose decisions of a source a key may see: what it asked for itself through the API, everything with the scope `admin`. What
 * webhooks and uploads were decided belongs to the deployment: null for everyone's.
 */
function visibleTenant(c: Context<AppEnvironment>, source: string): string | null {
  if (source !== API_SOURCE || c.var.scopes?.includes('admin') === true) return null;
  return c.var.tenant ?? 'anonymous';
}

/** The sources whose decisions and events a deployment keeps. */
export function allSources({ settings }: ModerationService): string[] {
  return [API_SOURCE, ...[...settings.sources, ...settings.r2_rules].map(({ name }) => name)];
}

/** @throws RequestError `invalid_parameter` where a deployment has no such source. */
export function checkSource(source: string, moderation: ModerationService): void {
  if (allSources(moderation).includes(source)) return;
  throw new RequestError('invalid_parameter', `"source" is "${source}": there is no such source`, {
    details: { parameter: 'source', sources: allSources(moderation) },
  });
}

interface ModerationRequest {
  readonly image: Uint8Array<ArrayBuffer> | ImageLocation;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** The shapes of `/v1/classify`, one image of them; JSON may also have `url` or `r2` at its top. */
async function readModerationRequest(
  request: Request,
  { images, config }: Services,
  memory: BodyMemory,
): Promise<ModerationRequest> {
  const { inputs, isList, parameters } = await readImageInputs(request, memory, config.maxImagesPerRequest);
  const input = inputs[0]!;
  if (isList) throw new RequestError('invalid_body', `one image is judged at a time; the request has ${inputs.length}`);
  if ('error' in input) throw input.error;
  if ('bytes' in input) return { image: input.bytes, parameters };
  const where = input.member === '' ? '' : `${input.member}.`;
  return {
    image: images.locate({ url: input.url, r2: input.r2 }, where),
    parameters,
  };
}

/** The caller has the verdict already; a log that cannot be written must not take it back. */
async function record(
  moderation: ModerationService,
  decision: Decision,
  reference: string | null,
  image: ImageLocation | null,
  tenant: string,
): Promise<void> {
  try {
    await moderation.ledger(API_SOURCE).record(decision, reference, image, tenant);
  } catch (error) {
    const reason = String(error).slice(0, 300);
    console.error(JSON.stringify({ level: 'error', event: 'decision_not_recorded', id: decision.id, reason }));
  }
}

function toEntry({ decision, item_id, event_id }: DecisionRecord) {
  return { ...decision, source: sourceOf(decision.id), item_id, event_id };
}
