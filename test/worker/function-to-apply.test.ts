/** What makes scores of logits is the model's, in every dialect; goldens are transformers' pipeline (scripts/goldens/pipeline_scores.py). */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { assembleVersion, encodeJson } from '../../model-store/build/assemble.ts';
import { readCheckpoint } from '../../model-store/build/checkpoint/read-checkpoint.ts';
import { buildBitGraph } from '../../model-store/build/graph/build.ts';
import { memoryDirectory } from '../../model-store/checkpoint-directory.ts';
import { type Manifest, manifestFunction } from '../../model-store/manifest.ts';
import { publishVersion } from '../../model-store/publish.ts';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { publishPolicy } from '../../worker/moderation/policy/store.ts';
import { readFixture } from '../support/worker/seed.ts';

interface Score {
  readonly label: string;
  readonly score: number;
}
interface Case {
  readonly folder: string;
  readonly problem_type: string | null;
  readonly answer: readonly Score[];
}
interface Answer {
  readonly predictions: readonly Score[];
}

const ORIGIN = 'http://localhost';
const WEIGHTS: Readonly<Record<string, string>> = {
  'bit-50-layout': 'pytorch_model.bin',
  'one-label': 'model.safetensors',
};
const golden = JSON.parse(new TextDecoder().decode(await readFixture('pipeline-scores.json'))) as {
  picture: string;
  cases: readonly Case[];
};
const photo = await readFixture(golden.picture);
const nameOf = ({ folder, problem_type }: Case): string => `${folder}.${problem_type ?? 'none'}`;

/** Imports a network with another problem type, and publishes it. @param forget leaves the function out, as old manifests do. */
async function publish(golden: Case, name = nameOf(golden), forget = false): Promise<Manifest> {
  const files: Record<string, Uint8Array> = {};
  const weights = WEIGHTS[golden.folder]!;
  for (const file of [weights, 'preprocessor_config.json']) files[file] = await readFixture(`${golden.folder}/${file}`);
  const config = JSON.parse(new TextDecoder().decode(await readFixture(`${golden.folder}/config.json`)));
  files['config.json'] = encodeJson({ ...config, problem_type: golden.problem_type });
  const { checkpoint, preprocessor, kind } = await readCheckpoint(memoryDirectory(files), null);
  const graph = buildBitGraph(checkpoint, { inputSize: null, externalWeights: 'weights.bin' });
  const { manifest, files: built } = await assembleVersion({
    name,
    version: null,
    createdAt: '2026-01-01T00:00:00Z',
    source: { kind, reference: golden.folder, sha256: null },
    checkpoint,
    preprocessor,
    imageSize: { height: 64, width: 64 },
    variants: { fp32: { graph, wasmHeapBytes: null } },
    defaultVariant: 'fp32',
    report: null,
    attachments: new Map(),
  });
  const { function_to_apply: _, ...old } = manifest;
  const text = new TextDecoder().decode(encodeJson(forget ? old : manifest));
  await publishVersion(new R2ObjectStore(env.MODELS), { manifest: text, read: async (path) => built.get(path)! });
  return forget ? old : manifest;
}

async function post<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
  const response = await SELF.fetch(ORIGIN + path, { method: 'POST', body: photo, headers });
  const answer: T = await response.json();
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

function expectScores(actual: readonly Score[], expected: readonly Score[]): void {
  expect(actual.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
  for (const [index, { score }] of actual.entries()) expect(score).toBeCloseTo(expected[index]!.score, 4);
}

const versions = new Map<string, Manifest>();
beforeAll(async () => {
  for (const each of golden.cases) versions.set(nameOf(each), await publish(each));
});

describe.each(golden.cases)('$folder, $problem_type', (golden) => {
  const reference = () => `${nameOf(golden)}@${versions.get(nameOf(golden))!.version}`;

  it("answers with the pipeline's scores on /v1/classify, in HF's and in Workers AI's dialect", async () => {
    expectScores((await post<Answer>(`/v1/classify?model=${reference()}`)).predictions, golden.answer);
    expectScores(await post(`/models/${reference()}`, { 'x-wait-for-model': 'true' }), golden.answer);
    expectScores((await post<{ result: Score[] }>(`/ai/run/${reference()}`)).result, golden.answer);
  });

  it('says which function it is', async () => {
    const expected = golden.problem_type === 'multi_label_classification' || golden.answer.length === 1;
    const model = (await (await SELF.fetch(`${ORIGIN}/v1/models/${reference()}`)).json()) as Record<string, unknown>;
    expect(model.function_to_apply).toBe(expected ? 'sigmoid' : 'softmax');
    const oip = await SELF.fetch(`${ORIGIN}/v2/models/${reference()}`);
    expect(await oip.json()).toMatchObject({ parameters: { function_to_apply: model.function_to_apply } });
  });
});

const multi = golden.cases.find(({ problem_type }) => problem_type === 'multi_label_classification')!;
const one = golden.cases.find(({ folder }) => folder === 'one-label')!;

it('lets a request say otherwise', async () => {
  const reference = `${nameOf(multi)}@${versions.get(nameOf(multi))!.version}`;
  const asked = await post<Answer>(`/v1/classify?model=${reference}&function_to_apply=softmax`);
  const softmax = golden.cases.find(({ folder, problem_type }) => folder === multi.folder && problem_type === null)!;
  expectScores(asked.predictions, softmax.answer);
});

it('gives versions of two functions two names, and softmax the name that it always had', () => {
  const name = (type: string | null) => versions.get(`bit-50-layout.${type ?? 'none'}`)!.version;
  expect(name('multi_label_classification')).not.toBe(name(null));
  expect(name('regression')).toBe(name(null));
});

it('knows the function of a version whose manifest does not say: by its labels, and its config', async () => {
  const old = await publish(one, 'old-one', true);
  expect(old.function_to_apply).toBeUndefined();
  expectScores((await post<Answer>(`/v1/classify?model=old-one@${old.version}`)).predictions, one.answer);
  const [single, several] = [versions.get(nameOf(one))!, versions.get(nameOf(multi))!];
  const without = ({ function_to_apply: _, ...manifest }: Manifest): Manifest => manifest;
  expect(manifestFunction(without(single))).toBe('sigmoid');
  expect(manifestFunction(without(several))).toBe('sigmoid');
  expect(manifestFunction({ ...without(several), config: {} })).toBe('softmax');
});

it('is what jobs apply where they do not say', async () => {
  await env.UPLOADS.put('incoming/golden.jpg', photo);
  const reference = `${nameOf(multi)}@${versions.get(nameOf(multi))!.version}`;
  const body = JSON.stringify({ task: 'classify', model: reference, inputs: [{ r2: 'incoming/golden.jpg' }] });
  const headers = { 'content-type': 'application/json' };
  const created = await SELF.fetch(`${ORIGIN}/v1/jobs`, { method: 'POST', body, headers });
  expect(created.status).toBe(202);
  const { id, parameters } = (await created.json()) as { id: string; parameters: object };
  expect(parameters).toEqual({ top_k: 5, exact: false });
  const results = async () => (await SELF.fetch(`${ORIGIN}/v1/jobs/${id}/results`)).text();
  await expect.poll(results, { timeout: 25_000, interval: 100 }).toContain('predictions');
  expectScores((JSON.parse(await results()) as Answer).predictions, multi.answer);
});

describe('a policy', () => {
  const policy = (version: string, activation: object) => ({
    schema_version: 1,
    name: 'nsfw-one',
    version,
    model: { name: nameOf(one), reference: versions.get(nameOf(one))!.version },
    ...activation,
    categories: [{ name: 'nsfw', labels: ['nsfw'], thresholds: { review: 0.5, block: 0.9 } }],
  });
  const moderate = async (version: string, activation: object) => {
    const text = JSON.stringify(policy(version, activation));
    await publishPolicy(new R2ObjectStore(env.MODELS), text, null, '2026-01-01T00:00:00Z');
    const url = `${ORIGIN}/v1/moderate?policy=nsfw-one@${version}`;
    const response = await SELF.fetch(url, { method: 'POST', body: photo });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it("scores with the model's function where it names none", async () => {
    const { status, body } = await moderate('1', {});
    expect(status).toBe(200);
    expect(body).toMatchObject({ verdict: 'review', categories: [{ name: 'nsfw' }] });
  });

  it('decides nothing by softmax over one label, which would block every picture', async () => {
    const { status, body } = await moderate('2', { activation: 'softmax' });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body).toMatchObject({ code: 'invalid_policy' });
  });
});
