/** `/v1/policies`: a policy's JSON, and publishing a version of it. */
import { Hono } from 'hono';
import * as z from 'zod';
import { checkName } from '../../model-store/layout.ts';
import { readModelDescription } from '../inference/model-description.ts';
import type { JsonLimits } from '../json-shape.ts';
import { requireScope } from '../middleware/require-scope.ts';
import { parsePolicyReference } from '../moderation/policy/layout.ts';
import type { Policy } from '../moderation/policy/schema.ts';
import { publishPolicy } from '../moderation/policy/store.ts';
import { checkPolicy, invalidPolicy, type ModelVocabulary, parsePolicy } from '../moderation/policy/validate.ts';
import { headVocabularies } from '../moderation/policy-heads.ts';
import type { AppEnvironment, Services } from '../services.ts';
import { readSmallJson } from './support/body-lease.ts';
import { tenantOf } from './support/model-reference.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';

/** Largest body: the prototypes of a policy are embeddings. */
const MAX_POLICY_BYTES = 1024 * 1024;

/** What it may hold: labels by the thousand, and numbers of embeddings. */
const POLICY_JSON: JsonLimits = { maxDepth: 16, maxValues: 200_000 };

/** The output whose length is the embedding's. */
const EMBEDDING_OUTPUT = 'pooler_output';

/** `POST /v1/policies`. */
export const newPolicySchema = z.strictObject({
  policy: z.record(z.string(), z.json()),
  /** The alias that is to name the version; null: none is moved. */
  alias: z.string().nullable().default('latest'),
});

export const policiesRoute = new Hono<AppEnvironment>()
  .get('/v1/policies/:policy', requireScope('moderate'), async (c) => {
    refuseParameters(c.req.url);
    const { moderation } = c.var.services;
    return c.json(await moderation.policies.get(parsePolicyReference(c.req.param('policy'))));
  })
  .post('/v1/policies', requireScope('admin'), async (c) => {
    const { services } = c.var;
    const body = await readSmallJson(c, POLICY_JSON, MAX_POLICY_BYTES);
    const { policy, alias } = parseParameters(newPolicySchema, new URL(c.req.url).searchParams, body);
    if (alias !== null) checkName('alias', alias);
    const tenant = tenantOf(c);
    const parsed = parsePolicy(policy);
    const heads = parsed.heads.map((head) => ({ ...head, key: head.key ?? tenant }));
    const problems = heads.flatMap(({ name, key }, index) =>
      key === tenant
        ? []
        : [{ path: `heads[${index}].key`, message: `head "${name}" is to be yours, or shared with you` }],
    );
    if (problems.length > 0) throw invalidPolicy(parsed.name, problems);
    // From here on the policy says whose heads it means.
    const stored = heads.length === 0 ? policy : { ...policy, heads };
    const check = checkPolicy(stored, await vocabularyOf(services, { ...parsed, heads }));
    if (check.policy === null) throw invalidPolicy(parsed.name, check.problems);
    const text = JSON.stringify(stored);
    const now = new Date(services.moderation.now()).toISOString();
    const published = await publishPolicy(services.models, text, alias, now);
    const { name, version, alreadyPublished, movedFrom } = published;
    return c.json({ name, version, alias, already_published: alreadyPublished, moved_from: movedFrom }, 201);
  });

/** The labels of the policy's model and of its heads, and the length of its embedding. */
async function vocabularyOf(
  { host, models, moderation }: Services,
  { model, heads }: Pick<Policy, 'model' | 'heads'>,
): Promise<ModelVocabulary> {
  const version = await host.resolve(model.name, model.reference);
  const { manifest, labels } = await readModelDescription(models, null, model.name, version);
  const variant = manifest.variants[manifest.default_variant];
  const shape = variant?.outputs.find(({ name }) => name === EMBEDDING_OUTPUT)?.shape ?? [];
  const sizes = shape.filter((dimension) => typeof dimension === 'number');
  return {
    labels,
    embeddingLength: sizes.reduce((product, size) => product * size, 1),
    heads: await headVocabularies(heads, { name: model.name, version }, moderation.heads),
  };
}
