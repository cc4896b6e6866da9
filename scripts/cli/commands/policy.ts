/** `bit-edge policy`: checks, publishes and measures moderation policies. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MemoryObjectStore } from '../../../model-store/memory-object-store.ts';
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { AppError, RequestError } from '../../../worker/errors.ts';
import { Judge } from '../../../worker/moderation/judge.ts';
import { PolicyCache } from '../../../worker/moderation/policy/cache.ts';
import type { Policy } from '../../../worker/moderation/policy/schema.ts';
import { publishPolicy } from '../../../worker/moderation/policy/store.ts';
import { checkPolicy, invalidPolicy, parsePolicy } from '../../../worker/moderation/policy/validate.ts';
import { headVocabularies, type PolicyHeadSource } from '../../../worker/moderation/policy-heads.ts';
import { ensureDefaultModel } from '../default-model.ts';
import { type LocalModel, openLocalModel } from '../local-model.ts';
import { localHeads, storedHeads } from '../policy/heads.ts';
import { listLabelledImages } from '../policy/labelled-folder.ts';
import { type JudgedImage, measureCategory } from '../policy/metrics.ts';
import { percent, thresholdCurveSvg } from '../policy/threshold-curve.ts';
import { readFolderVocabulary, readVocabulary } from '../policy/vocabulary.ts';
import { Progress } from '../progress.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

const DEFAULT_POLICY = new URL('../../../worker/moderation/policies/default.json', import.meta.url).pathname;

/** Unreadable images that are named; --json names all. */
const MAX_UNREADABLE_LINES = 10;

/** What `--help` prints. */
export const HELP = `usage: bit-edge policy validate POLICY [--model DIR] [--remote | --store DIR]
       bit-edge policy publish POLICY [--alias latest] [--model DIR] [--remote | --store DIR]
       bit-edge policy test IMAGES [--policy POLICY.json] [--model DIR] [--head NAME=DIR ...] [--svg OUT.svg]

POLICY is a policy's JSON file, or a folder of them.
validate  checks shape, labels, thresholds and categories against the model, and says everything that is wrong at once.
publish   validates, then stores the version, which never changes, and lets the alias name it.
test      runs a policy over a folder of labelled images, IMAGES/<category>/<file> and IMAGES/none/<file> (or
          IMAGES/labels.json: {"file": ["category", ...]}), and prints precision and recall of each category.
  --alias NAME       the alias to move. Default: latest. "" moves none.
  --policy FILE      the policy to test. Default: the one that ships.
  --model DIR        a version's folder, as "bit-edge import" leaves it. Default: the policy's model in the store; for test,
                     the default model.
  --head NAME=DIR    for test: a head of the policy, as "bit-edge head train" leaves it; once for each.
  --svg FILE         threshold curves, one panel a category.
${STORE_HELP}`;

const OPTIONS = {
  ...STORE_OPTIONS,
  alias: { type: 'string', default: 'latest' },
  policy: { type: 'string', default: DEFAULT_POLICY },
  model: { type: 'string' },
  head: { type: 'string', multiple: true },
  svg: { type: 'string' },
} as const;

type Values = ReturnType<typeof parse>['values'];

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
}

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [action, path] = positionals;
  if (path === undefined || positionals.length > 2)
    return wrongUsage('policy', 'an action and one path are needed', HELP);
  switch (action) {
    case 'validate':
    case 'publish':
      return withStore(toStoreOptions(values), ({ store }) => checkAll(path, store, action === 'publish', values));
    case 'test':
      return test(path, values);
    default:
      return wrongUsage('policy', `unknown action "${action}"`, HELP);
  }
}

/** All files are checked before any is published. */
async function checkAll(path: string, store: ObjectStore, isPublish: boolean, values: Values): Promise<number> {
  const checked: { file: string; text: string; policy: Policy; model: string }[] = [];
  for (const file of await policyFiles(path)) {
    const text = await readFile(file, 'utf8');
    checked.push({ file, text, ...(await check(file, text, store, storedHeads(store), values.model)) });
  }
  if (!isPublish) {
    const results = checked.map(({ file, policy, model }) => ({
      file,
      name: policy.name,
      version: policy.version,
      model,
    }));
    const lines = results.map(({ file, name, version, model }) => `${file}: ${name}@${version} is valid for ${model}`);
    print(values.json, results, lines.join('\n'));
    return 0;
  }
  const results = [];
  for (const { text } of checked) {
    results.push(await publishPolicy(store, text, values.alias === '' ? null : values.alias, new Date().toISOString()));
  }
  const lines = results.map(
    ({ name, version, alreadyPublished, movedFrom }) =>
      `${name}@${version} ${alreadyPublished ? 'was published before' : 'published'}` +
      (values.alias === '' ? '' : `; ${values.alias}: ${movedFrom ?? 'new'} -> ${version}`),
  );
  print(values.json, results, lines.join('\n'));
  return 0;
}

async function policyFiles(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => name.endsWith('.json')).sort();
  if (names.length === 0) throw new RequestError('invalid_body', `${path} holds no policy`);
  return names.map((name) => join(path, name));
}

/** @throws ModerationError `invalid_policy` with every problem. */
async function check(
  file: string,
  text: string,
  store: ObjectStore,
  heads: PolicyHeadSource,
  modelFolder: string | undefined,
): Promise<{ policy: Policy; model: string }> {
  const value = parseJson(file, text);
  const { model, heads: named } = parsePolicy(value);
  const vocabulary = await (modelFolder === undefined
    ? readVocabulary(store, model.name, model.reference)
    : readFolderVocabulary(modelFolder));
  const known = { ...vocabulary, heads: await headVocabularies(named, vocabulary.version, heads) };
  const { policy, problems } = checkPolicy(value, known);
  if (policy === null) throw invalidPolicy(file, problems);
  return { policy, model: vocabulary.model };
}

async function test(folder: string, values: Values): Promise<number> {
  const text = await readFile(values.policy, 'utf8');
  const modelFolder = values.model ?? (await ensureDefaultModel()).directory;
  const store = new MemoryObjectStore();
  const network = await openLocalModel(modelFolder);
  const heads = await localHeads(values.head ?? [], network.manifest);
  const { policy, model } = await check(values.policy, text, store, heads, modelFolder);
  await publishPolicy(store, text, null, new Date().toISOString());
  const names = policy.categories.map(({ name }) => name);
  const images = await listLabelledImages(folder, names);
  const { images: judged, unreadable } = await judgeAll(images, policy, network, store, heads);
  const metrics = names.map((name) => measureCategory(name, judged));
  if (values.svg !== undefined) await writeFile(values.svg, thresholdCurveSvg(policy, metrics));
  const summary = metrics.map(({ curve: _, ...each }) => each);
  const rows = summary.map(
    (each) =>
      `${each.name.padEnd(24)}${String(each.positives).padStart(8)}${percent(each.precision).padStart(11)}` +
      `${percent(each.recall).padStart(11)}${String(each.falsePositives).padStart(8)}${String(each.falseNegatives).padStart(8)}`,
  );
  const head = `${'category'.padEnd(24)}${'images'.padStart(8)}${'precision'.padStart(11)}${'recall'.padStart(11)}${'wrong'.padStart(8)}${'missed'.padStart(8)}`;
  const title = `${policy.name}@${policy.version} with ${model} on ${judged.length} images`;
  print(
    values.json,
    {
      policy: { name: policy.name, version: policy.version },
      model,
      images: judged.length,
      unreadable,
      categories: summary,
    },
    [title, ...unreadableLines(unreadable), '', head, ...rows].join('\n'),
  );
  return judged.length === 0 ? 1 : 0;
}

function unreadableLines(unreadable: readonly string[]): string[] {
  const lines = unreadable.slice(0, MAX_UNREADABLE_LINES).map((line) => `unreadable: ${line}`);
  const more = unreadable.length - lines.length;
  return more > 0 ? [...lines, `unreadable: ${more} more`] : lines;
}

/** Judges with the worker's own code, so that the figures are those of the deployment. */
async function judgeAll(
  images: Awaited<ReturnType<typeof listLabelledImages>>,
  policy: Policy,
  { classifier, manifest }: LocalModel,
  policies: ObjectStore,
  heads: PolicyHeadSource,
): Promise<{ images: JudgedImage[]; unreadable: string[] }> {
  const cache = new PolicyCache({ store: policies, maxAgeMs: Number.POSITIVE_INFINITY, now: () => Date.now() });
  const judge = new Judge({
    // Whatever alias the policy names, the folder's version answers.
    classifier: {
      infer: (bytes, _, ...rest) =>
        classifier.infer(bytes, { name: manifest.name, reference: manifest.version }, ...rest),
    },
    policies: cache,
    heads,
    now: () => Date.now(),
  });
  const progress = new Progress('images', images.length);
  const judged: JudgedImage[] = [];
  const unreadable: string[] = [];
  for (const { file, expected } of images) {
    try {
      const bytes = new Uint8Array(await readFile(file));
      const evaluation = await judge.judge(bytes, `${policy.name}@${policy.version}`, 'dec_test', () => {});
      judged.push({ file, expected, evaluation });
    } catch (error) {
      if (!(error instanceof AppError) || !error.code.includes('image')) throw error;
      unreadable.push(`${file}: ${error.message}`);
    }
    progress.update(judged.length + unreadable.length);
  }
  progress.clear();
  return { images: judged, unreadable };
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new RequestError('invalid_body', `${file} is not JSON`, { cause });
  }
}
