/** `bit-edge evaluate`: a folder of labelled images through a running worker; accuracy, and agreement with a reference. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { RequestError } from '../../../worker/errors.ts';
import { failureLine } from '../../process/failure.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge evaluate --url URL --images DIR --labels FILE [--reference FILE] [--model NAME[@VERSION]]
                        [--concurrency 4] [--key API_KEY] [--json]

Sends every image below DIR to URL/v1/classify and compares the best label with what FILE says.
  --labels FILE     {"files": {"path": index}}, or {"path": index}; an index into the model's labels. Paths are matched from DIR,
                    from DIR's parent, or by file name.
  --reference FILE  {"top5": {"path": [index, ...]}}: another implementation's answers, to report how often the best label is the
                    same. Default: the reference.json of the model that answers, where this repository has one.
Exit code 1 where an image was not answered.
`;

const indexByPath = z.record(z.string(), z.int().nonnegative());
const labelsSchema = z.union([z.object({ files: indexByPath }).transform((value) => value.files), indexByPath]);
const referenceSchema = z.object({ top5: z.record(z.string(), z.array(z.int()).min(1)) });
const answerSchema = z.object({
  model: z.object({ name: z.string(), version: z.string() }),
  predictions: z.array(z.object({ index: z.int(), score: z.number() })).min(1),
});

interface Answer {
  readonly path: string;
  readonly top5: readonly number[];
}

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      images: { type: 'string' },
      labels: { type: 'string' },
      reference: { type: 'string' },
      model: { type: 'string' },
      key: { type: 'string' },
      concurrency: { type: 'string', default: '4' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { url, images, labels: labelsFile } = values;
  if (url === undefined || images === undefined || labelsFile === undefined) {
    process.stderr.write(`bit-edge evaluate: --url, --images and --labels are needed\n\n${HELP}`);
    return 2;
  }
  if (!URL.canParse(url)) throw new RequestError('invalid_parameter', `--url is "${url}"; it must be an address`);
  const labels = await readJson(labelsFile, labelsSchema);
  const paths = (await readdir(images, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => lookUp(labels, images, path) !== undefined)
    .sort();
  if (paths.length === 0) {
    process.stderr.write(`bit-edge evaluate: no file below ${images} is named in ${labelsFile}\n`);
    return 1;
  }
  const answers: Answer[] = [];
  const failures: string[] = [];
  let model = { name: '', version: '' };
  const started = performance.now();
  const endpoint = new URL('/v1/classify', url);
  endpoint.searchParams.set('top_k', '5');
  if (values.model !== undefined) endpoint.searchParams.set('model', values.model);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let path = paths[next++]; path !== undefined; path = paths[next++]) {
      try {
        const answer = await classify(endpoint, await readFile(path), values.key);
        model = answer.model;
        answers.push({ path, top5: answer.predictions.map(({ index }) => index) });
      } catch (error) {
        failures.push(`${path}: ${failureLine(error) ?? (error instanceof Error ? error.message : String(error))}`);
      }
      showProgress(answers.length + failures.length, paths.length);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(values.concurrency)) }, worker));
  const seconds = (performance.now() - started) / 1000;

  const reference = await readReference(values.reference, model.name);
  const share = (count: number, of: number): number => Math.round((count / of) * 1e6) / 1e6;
  const compared =
    reference === null ? [] : answers.filter(({ path }) => lookUp(reference, images, path) !== undefined);
  const result = {
    model,
    images: paths.length,
    answered: answers.length,
    top1: share(answers.filter(({ path, top5 }) => top5[0] === lookUp(labels, images, path)).length, answers.length),
    top5: share(
      answers.filter(({ path, top5 }) => top5.includes(lookUp(labels, images, path)!)).length,
      answers.length,
    ),
    agreement:
      reference === null || compared.length === 0
        ? null
        : share(
            compared.filter(({ path, top5 }) => lookUp(reference, images, path)?.[0] === top5[0]).length,
            compared.length,
          ),
    images_per_s: Math.round((answers.length / seconds) * 10) / 10,
  };
  for (const failure of failures.slice(0, 10)) process.stderr.write(`${failure}\n`);
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    const percent = (value: number): string => `${(value * 100).toFixed(2)} %`;
    process.stdout.write(
      [
        `model      ${model.name}@${model.version}`,
        `images     ${result.answered} of ${result.images} answered, ${result.images_per_s} a second`,
        `accuracy   top-1 ${percent(result.top1)}, top-5 ${percent(result.top5)}`,
        `agreement  ${result.agreement === null ? 'no reference' : `top-1 equal to the reference's for ${percent(result.agreement)}`}`,
        '',
      ].join('\n'),
    );
  }
  return failures.length === 0 ? 0 : 1;
}

async function classify(endpoint: URL, image: Uint8Array<ArrayBuffer>, key: string | undefined) {
  const response = await fetch(endpoint, {
    method: 'POST',
    body: image,
    headers: {
      'content-type': 'application/octet-stream',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
  });
  if (!response.ok) throw new Error(`${response.status} ${(await response.text()).slice(0, 200)}`);
  return answerSchema.parse(await response.json());
}

/** @throws RequestError where the file is not JSON, or other JSON. */
async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readFile(path, 'utf8');
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', '; ') : 'it is not JSON';
    throw new RequestError('invalid_body', `${path}: ${why}`, { cause });
  }
}

async function readReference(file: string | undefined, model: string): Promise<Record<string, number[]> | null> {
  const path = file ?? fileURLToPath(new URL(`../../../model-store/models/${model}/reference.json`, import.meta.url));
  if (file === undefined && !existsSync(path)) return null;
  return (await readJson(path, referenceSchema)).top5;
}

/** The entry of an image: by its path from the folder, from the folder's parent, or by its name. */
function lookUp<T>(entries: Readonly<Record<string, T>>, folder: string, path: string): T | undefined {
  const inside = relative(folder, path);
  return entries[inside] ?? entries[`${basename(folder)}/${inside}`] ?? entries[basename(path)];
}

function showProgress(done: number, total: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(done === total ? '\r\u001b[K' : `\r${done} of ${total}`);
}
