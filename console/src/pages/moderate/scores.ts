/** Asks the deployment what the network says about an image, once: a policy is tried on it as often as one likes. */
import type { BitEdgeClient } from '../../../../client/index.ts';
import type { Policy } from '../../../../worker/moderation/policy/schema.ts';
import { sha256Of } from '../../hash.ts';
import { expectedOf, type TrialImage } from './trial.ts';

/** More labels than any model has: all of them are answered. */
const ALL_LABELS = 10_000;

/** A file that a person picked, with its path below the chosen folder where there is one. */
export interface PickedFile {
  readonly path: string;
  readonly blob: Blob;
}

/** The scores of one image under a policy's model and activation. */
export async function scoreImage(
  client: BitEdgeClient,
  policy: Policy,
  labelCount: number,
  { path, blob }: PickedFile,
): Promise<TrialImage> {
  const model = `${policy.model.name}@${policy.model.reference}`;
  const activation = policy.activation === undefined ? {} : { function_to_apply: policy.activation };
  const needsEmbedding = policy.categories.some(({ prototypes }) => prototypes !== undefined);
  const [{ predictions }, embedded, sha256, headScores] = await Promise.all([
    client.classify(blob, { model, top_k: ALL_LABELS, ...activation }),
    needsEmbedding ? client.embed(blob, { model, encoding: 'float' }) : null,
    // Empty without https: then no image is on the list of hashes.
    sha256Of(blob),
    scoreHeads(client, policy, blob),
  ]);
  const scores = new Float32Array(labelCount);
  for (const { index, score } of predictions) scores[index] = score;
  const embedding =
    embedded !== null && Array.isArray(embedded.embedding) ? new Float32Array(embedded.embedding) : null;
  const categories = policy.categories.map(({ name }) => name);
  return { name: path, expected: expectedOf(path, categories), scores, headScores, embedding, sha256 };
}

/** The policy's heads answer as models do, where the key may use them. */
async function scoreHeads(client: BitEdgeClient, { heads }: Policy, blob: Blob): Promise<TrialImage['headScores']> {
  const entries = heads.map(async ({ name, reference }) => {
    const { predictions } = await client.classify(blob, { model: `${name}@${reference}`, top_k: ALL_LABELS });
    return [name, new Map(predictions.map(({ label, score }) => [label, score]))] as const;
  });
  return new Map(await Promise.all(entries));
}
