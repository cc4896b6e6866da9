/** `bit-edge export`: a version's folder as a Triton model repository. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  gpuVariant,
  TRITON_LABELS_FILE,
  type TritonOptions,
  tritonConfig,
} from '../../../model-store/build/triton-config.ts';
import { type FileReference, type Manifest, parseManifest } from '../../../model-store/manifest.ts';
import { ConfigurationError, ModelError } from '../../../worker/errors.ts';
import { sha256OfBytes } from '../files/hash.ts';
import { print, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge export OUT --triton DIR [options]

Writes the version that "bit-edge import" left in OUT into the Triton model repository DIR, as DIR/<model>/<number>/ with its
config.pbtxt and labels.txt. Triton then serves the same inputs and outputs as our own GPU backend.
  --number N         Triton's number of this version (default 1); it becomes the one that is served.
  --max-batch N      most images of a batch (default 32).
  --max-delay-us N   longest wait for a batch to fill, in microseconds (default 5000).
  --cpu              run on the CPU instead of the GPUs.
  --json             print the result as JSON.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      triton: { type: 'string' },
      number: { type: 'string', default: '1' },
      'max-batch': { type: 'string', default: '32' },
      'max-delay-us': { type: 'string', default: '5000' },
      cpu: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = positionals[0];
  if (folder === undefined || positionals.length > 1) return wrongUsage('export', 'one folder is needed', HELP);
  if (values.triton === undefined) return wrongUsage('export', '--triton DIR is needed', HELP);
  const options: TritonOptions = {
    version: wholeNumber('--number', values.number, 1),
    maxBatch: wholeNumber('--max-batch', values['max-batch'], 1),
    maxDelayMicroseconds: wholeNumber('--max-delay-us', values['max-delay-us'], 0),
    device: values.cpu ? 'cpu' : 'gpu',
  };
  const manifest = await readManifest(folder);
  const target = join(values.triton, manifest.name);
  const files = await exportVersion(folder, manifest, target, options);
  const result = { model: manifest.name, version: manifest.version, number: options.version, directory: target, files };
  print(values.json, result, `${manifest.name}/${manifest.version} written to ${target} as version ${options.version}`);
  return 0;
}

/** Writes the files of a version, verified, and the configuration last: until then Triton serves what it served. */
async function exportVersion(
  folder: string,
  manifest: Manifest,
  target: string,
  options: TritonOptions,
): Promise<string[]> {
  const config = tritonConfig(manifest, options);
  const variant = gpuVariant(manifest);
  const versionFolder = join(target, String(options.version));
  await mkdir(versionFolder, { recursive: true });
  const written: string[] = [];
  const write = async (path: string, bytes: Uint8Array | string) => {
    const temporary = `${path}.part`;
    try {
      await writeFile(temporary, bytes);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    written.push(path);
  };
  for (const file of [variant.weights, variant.model]) {
    if (file !== null) await write(join(versionFolder, file.path), await readVerified(folder, file));
  }
  if (manifest.num_labels > 0) {
    const labels: unknown = JSON.parse(new TextDecoder().decode(await readVerified(folder, manifest.labels)));
    const lines = Array.isArray(labels) ? labels.map((label) => String(label).replace(/\s+/g, ' ')) : [];
    await write(join(target, TRITON_LABELS_FILE), `${lines.join('\n')}\n`);
  }
  await write(join(target, 'config.pbtxt'), config);
  return written;
}

async function readVerified(folder: string, file: FileReference): Promise<Uint8Array> {
  const bytes = await readStored(join(folder, file.path));
  if (bytes.byteLength === file.bytes && sha256OfBytes(bytes) === file.sha256) return bytes;
  throw new ModelError(
    'model_corrupt',
    `${join(folder, file.path)}: ${bytes.byteLength} bytes do not have the size ${file.bytes} and SHA-256 of the manifest`,
    { details: { path: file.path, bytes: bytes.byteLength, expected: file.bytes } },
  );
}

async function readManifest(folder: string): Promise<Manifest> {
  return parseManifest(new TextDecoder().decode(await readStored(join(folder, 'manifest.json'))));
}

async function readStored(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ModelError('model_unavailable', `${path}: cannot be read; is this what import wrote?`, { cause });
  }
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least))
    throw new ConfigurationError(`${option}: "${text}" is not a whole number of at least ${least}`);
  return value;
}
