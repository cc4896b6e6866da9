/** `bit-edge head`: trains, measures, exports and imports heads, without a server or through one. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { appendHead } from '../../../model-store/build/graph/append-head.ts';
import { decodeOnnxModel } from '../../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../../model-store/onnx/encode.ts';
import { readSafetensors } from '../../../model-store/safetensors.ts';
import { sha256Hex } from '../../../model-store/sha256.ts';
import { RequestError } from '../../../worker/errors.ts';
import { readHead, writeHead } from '../../../worker/heads/head-file.ts';
import { HEAD_FILE } from '../../../worker/heads/head-publisher.ts';
import { FEATURE_KINDS, type FeatureKind } from '../../../worker/heads/math/features.ts';
import { type HeadModel, headLabels } from '../../../worker/heads/math/head-model.ts';
import type { HeadReport } from '../../../worker/heads/math/report.ts';
import { DEFAULT_TRAINING, METHODS, type Method, trainHead } from '../../../worker/heads/math/train.ts';
import { reportMarkdown } from '../../../worker/heads/report/report-markdown.ts';
import { reportSvg } from '../../../worker/heads/report/report-svg.ts';
import { ensureDefaultModel } from '../default-model.ts';
import { evaluateHead, type HeadEvaluation } from '../heads/evaluate-head.ts';
import { compileHeadAlgebra } from '../heads/head-algebra.ts';
import { readLabelledSet } from '../heads/labelled-set.ts';
import { headOfLinearLayer } from '../heads/linear-layer.ts';
import { trainRemotely } from '../heads/train-remotely.ts';
import { type LocalModel, openLocalModel } from '../local-model.ts';
import { Progress } from '../progress.ts';
import { print, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge head train DIR --name NAME [--out FOLDER] [--test DIR] [options]
       bit-edge head train DIR --name NAME --url URL [--key bek_...] [options]
       bit-edge head eval FOLDER DIR [--backbone FOLDER]
       bit-edge head export FOLDER OUT.onnx [--backbone FOLDER]
       bit-edge head import WEIGHTS.safetensors --name NAME --classes a,b,... --out FOLDER [--features F]

train   a head on the pictures of DIR, whose folders are classes; writes head.safetensors and its report to FOLDER (default:
        heads/NAME). With --url a running deployment trains it and serves it.
eval    accuracy of a head on other pictures.
export  backbone and head as one ONNX file: pixel_values in, logits out; labels in OUT.onnx.labels.json.
import  a linear layer of scikit-learn or torch as a head: tensors weight [classes, dimensions] and bias [classes]
        (coef_ and intercept_ are known too, with one row for two classes; mean_ and scale_ with --features standardize).
        --multi-label: each class is a question of its own.
  --backbone FOLDER   a version's folder, as "bit-edge import" leaves it. Default: the default model. With --url: name@version.
  --test DIR          measures the head on the pictures of DIR, too.
  --method M          ${METHODS.join(', ')}. Default: auto.
  --features F        ${FEATURE_KINDS.join(', ')}. Default: l2.
  --unknown RATE      the share of known pictures that may be called "unknown". Default: none is.
  --json              print the result as JSON.
`;

const OPTIONS = {
  name: { type: 'string' },
  out: { type: 'string' },
  test: { type: 'string' },
  url: { type: 'string' },
  key: { type: 'string' },
  backbone: { type: 'string' },
  method: { type: 'string', default: 'auto' },
  features: { type: 'string', default: 'l2' },
  unknown: { type: 'string' },
  classes: { type: 'string' },
  'multi-label': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
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
  const [action, first, second, ...rest] = positionals;
  if (first === undefined || rest.length > 0) return wrongUsage('head', 'an action and its folder are needed', HELP);
  if (action === 'train' && second === undefined) return train(first, values);
  if (action === 'import' && second === undefined) return importHead(first, values);
  if (action === 'eval' && second !== undefined) return evaluate(first, second, values);
  if (action === 'export' && second !== undefined) return exportHead(first, second, values);
  return wrongUsage('head', `"${positionals.join(' ')}" is not an action with its arguments`, HELP);
}

async function train(folder: string, values: Values): Promise<number> {
  const { name, url } = values;
  if (name === undefined) return wrongUsage('head', '--name NAME is needed', HELP);
  const method = METHODS.find((each) => each === values.method);
  if (method === undefined) return wrongUsage('head', `--method ${values.method} is unknown`, HELP);
  const unknownRate = values.unknown === undefined ? null : Number(values.unknown);
  if (unknownRate !== null && !(unknownRate > 0 && unknownRate < 1)) {
    return wrongUsage('head', `--unknown is ${values.unknown}; it must be between 0 and 1`, HELP);
  }
  const features = featuresOf(values);
  if (features === null) return wrongUsage('head', `--features ${values.features} is unknown`, HELP);
  if (url !== undefined) {
    const { key, backbone } = values;
    const status = await trainRemotely({ url, key, folder, name, backbone, method, features, unknownRate });
    print(values.json, status, `${name}@${status.aliases.latest} trained at ${url}`);
    return 0;
  }
  return trainLocally(folder, name, { method, features, unknownRate }, values);
}

async function trainLocally(
  folder: string,
  name: string,
  options: { readonly method: Method; readonly features: FeatureKind; readonly unknownRate: number | null },
  values: Values,
): Promise<number> {
  const backbone = await openBackbone(values);
  const { set } = await embed(folder, backbone);
  const { head, report } = trainHead(set, { ...DEFAULT_TRAINING, ...options }, await compileHeadAlgebra());
  const out = values.out ?? join('heads', name);
  const version = await writeFolder(out, name, head, report, backbone);
  const test = values.test === undefined ? null : evaluateHead(head, await embed(values.test, backbone));
  const summary = [
    `${name}@${version} written to ${out}: ${report.method}, ${report.examples} examples of ${report.classes.length} classes`,
  ];
  if (report.accuracy !== null) summary.push(`by leaving one out  ${shown(report.accuracy)}`);
  if (test !== null) summary.push(...lines(test));
  print(values.json, { name, version, out, report, test }, summary.join('\n'));
  return 0;
}

async function evaluate(folder: string, pictures: string, values: Values): Promise<number> {
  const head = await openHead(folder);
  const test = evaluateHead(head, await embed(pictures, await openBackbone(values)));
  print(values.json, test, lines(test).join('\n'));
  return 0;
}

async function exportHead(folder: string, out: string, values: Values): Promise<number> {
  const head = await openHead(folder);
  const source = await backboneFolder(values);
  const { manifest } = await openLocalModel(source);
  const variant = manifest.variants[manifest.default_variant]!;
  const read = async (path: string): Promise<Uint8Array> => new Uint8Array(await readFile(join(source, path)));
  const { weights } = variant;
  const external = new Map(weights === null ? [] : [[weights.path, await read(weights.path)] as const]);
  const model = appendHead(decodeOnnxModel(await read(variant.model.path), external), head);
  const { model: bytes } = encodeOnnxModel(model, null);
  await writeFile(out, bytes);
  await writeFile(`${out}.labels.json`, `${JSON.stringify(headLabels(head))}\n`);
  const backbone = `${manifest.name}@${manifest.version} (${manifest.default_variant})`;
  print(values.json, { out, bytes: bytes.byteLength, backbone }, `${out}: ${bytes.byteLength} bytes, on ${backbone}`);
  return 0;
}

async function importHead(file: string, values: Values): Promise<number> {
  const { name, out, classes: text } = values;
  const features = featuresOf(values);
  if (name === undefined || out === undefined || text === undefined) {
    return wrongUsage('head', '--name, --classes and --out are needed', HELP);
  }
  if (features === null) return wrongUsage('head', `--features ${values.features} is unknown`, HELP);
  const classes = text.split(',');
  const { tensors } = readSafetensors(new Uint8Array(await readFile(file)), file);
  const head = headOfLinearLayer(tensors, file, classes, features, values['multi-label']);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, HEAD_FILE), writeHead(head));
  print(
    values.json,
    { name, out, classes, dimensions: head.dimensions },
    `${name} written to ${out}: ${classes.length} classes of ${head.dimensions} dimensions`,
  );
  return 0;
}

async function writeFolder(
  out: string,
  name: string,
  head: HeadModel,
  report: HeadReport,
  { manifest }: LocalModel,
): Promise<string> {
  const bytes = writeHead(head);
  const backbone = `${manifest.name}@${manifest.version}`;
  const title = { name, version: (await sha256Hex(bytes)).slice(0, 12), backbone };
  await mkdir(out, { recursive: true });
  await writeFile(join(out, HEAD_FILE), bytes);
  await writeFile(join(out, 'report.json'), `${JSON.stringify({ ...title, ...report }, null, 2)}\n`);
  await writeFile(join(out, 'report.md'), reportMarkdown(title, report));
  await writeFile(join(out, 'report.svg'), reportSvg(title, report));
  return title.version;
}

async function openHead(folder: string): Promise<HeadModel> {
  const file = join(folder, HEAD_FILE);
  try {
    return readHead(new Uint8Array(await readFile(file)), file);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause;
    throw new RequestError('not_found', `${file} is not there; is this what "head train" wrote?`, { cause });
  }
}

async function openBackbone(values: Values): Promise<LocalModel> {
  return openLocalModel(await backboneFolder(values));
}

async function backboneFolder({ backbone }: Values): Promise<string> {
  return backbone ?? (await ensureDefaultModel()).directory;
}

async function embed(folder: string, backbone: LocalModel) {
  const progress = new Progress('embedding', 0);
  try {
    let done = 0;
    return await readLabelledSet(folder, backbone, () => progress.update(++done));
  } finally {
    progress.clear();
  }
}

function featuresOf({ features }: Values): FeatureKind | null {
  return FEATURE_KINDS.find((each) => each === features) ?? null;
}

function lines({ accuracy, wrong }: HeadEvaluation): string[] {
  return [
    `on other pictures   ${shown(accuracy)}`,
    ...wrong.slice(0, 20).map(({ file, label, predicted }) => `  ${file}: ${label}, taken for ${predicted}`),
  ];
}

function shown({ value, low, high, count, of }: HeadEvaluation['accuracy']): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return `${percent(value)} (95 %: ${percent(low)} to ${percent(high)}), ${count} of ${of}`;
}
