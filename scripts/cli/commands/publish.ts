/** `bit-edge publish`: a version's folder into the model store, and aliases to it. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Manifest } from '../../../model-store/manifest.ts';
import { manifestFiles, publishVersion } from '../../../model-store/publish.ts';
import { moveAlias } from '../../../model-store/versions.ts';
import { readEngineChoice } from '../../../worker/config.ts';
import { ModelError } from '../../../worker/errors.ts';
import {
  bodyRoomBytes,
  DEFAULT_MEMORY_BUDGET_BYTES,
  isForGpuAlone,
  modelRoomBytes,
  plannedHeapBytes,
} from '../../../worker/inference/memory-plan.ts';
import {
  type EngineChoice,
  type PreparedVersion,
  prepareFittingVersion,
} from '../../../worker/inference/prepare-variant.ts';
import { readManifestFile } from '../files/manifest-file.ts';
import { readBytes } from '../files/read-file.ts';
import { tryVersion } from '../onnx/try-version.ts';
import { formatBytes, Progress } from '../progress.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

const MIB = 1024 * 1024;

/** What `--help` prints. */
export const HELP = `usage: bit-edge publish OUT [--alias latest]... [--remote | --store DIR]

Publishes the version that "bit-edge import" left in OUT: files first, the manifest last, then the aliases. A publish that was
interrupted can be run again; what is there already is skipped. A published version never changes. It is run once on a picture
first, as the worker would: what does not answer is refused.
  --alias NAME       points this alias at the version; may be given several times.
  --memory-mib N     MEMORY_BUDGET_BYTES of the deployment in MiB, default ${DEFAULT_MEMORY_BUDGET_BYTES / MIB}: a version that such an isolate cannot serve
                     is refused, unless it is for GPU backends alone (import --variants gpu).
  --engine NAME      INFERENCE_ENGINE of the deployment: auto (default), bit or onnxruntime. What a version takes depends on it.
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...STORE_OPTIONS,
      alias: { type: 'string', multiple: true, default: [] },
      engine: { type: 'string', default: process.env.INFERENCE_ENGINE ?? 'auto' },
      'memory-mib': { type: 'string', default: String(DEFAULT_MEMORY_BUDGET_BYTES / MIB) },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = positionals[0];
  if (folder === undefined || positionals.length > 1) return wrongUsage('publish', 'one folder is needed', HELP);
  const memoryMib = Number(values['memory-mib']);
  if (!(memoryMib >= 48)) return wrongUsage('publish', '--memory-mib must be a number from 48', HELP);
  const { manifest, text } = await readManifestFile(folder);
  const budgetBytes = memoryMib * MIB;
  const readFile = (path: string): Promise<Uint8Array> => readBytes(join(folder, path));
  const choice = readEngineChoice({ INFERENCE_ENGINE: values.engine });
  const edge = await edgeFit(manifest, budgetBytes, choice, readFile);
  const untried = await tryVersion(folder, edge === null ? 'gpu' : manifest.default_variant, choice);
  const files = manifestFiles(manifest);
  const result = await withStore(toStoreOptions(values), async ({ store, description }) => {
    const progress = new Progress(`${manifest.name}/${manifest.version}`, sum(files), formatBytes);
    let done = 0;
    progress.update(done);
    const published = await publishVersion(store, { manifest: text, read: readFile }, (file) => {
      done += file.bytes;
      progress.update(done);
    });
    progress.clear();
    const aliases = [];
    for (const alias of values.alias) {
      aliases.push(await moveAlias(store, manifest.name, alias, manifest.version, new Date().toISOString()));
    }
    return {
      store: description,
      ...published,
      aliases,
      edge,
    };
  });
  const written = result.files.filter(({ action }) => action !== 'skipped');
  const lines = [
    `${result.name}/${result.version} ${result.alreadyPublished ? 'was published before' : 'published'} in ${result.store}: ` +
      `${written.length} of ${result.files.length} files written, ${formatBytes(sum(written))}`,
    edge === null
      ? 'for GPU backends alone: it runs in bulk jobs'
      : `at the edge: in ${edge.engine === 'bit' ? 'the engine for BiT' : 'onnxruntime'}, WASM heap ${mib(edge.heap_bytes)} MiB of a budget of ${mib(budgetBytes)} MiB, image files up to ${mib(edge.body_bytes)} MiB`,
    ...(untried === null ? [] : [`not tried on a picture: ${untried}`]),
    ...result.aliases.map(({ alias, from, to }) => `${alias}: ${from ?? 'new'} -> ${to}`),
  ];
  print(values.json, result, lines.join('\n'));
  return 0;
}

/** What publishing says of a version at the edge. */
interface EdgeFit {
  readonly engine: PreparedVersion['kind'];
  readonly heap_bytes: number;
  readonly body_bytes: number;
}

/**
 * What the version takes of an isolate; null if it is for GPU backends alone.
 * @throws ModelError `model_too_large`, with the way out where there is one.
 */
async function edgeFit(
  manifest: Manifest,
  budgetBytes: number,
  choice: EngineChoice,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<EdgeFit | null> {
  if (isForGpuAlone(manifest)) return null;
  try {
    const { model } = manifest.variants[manifest.default_variant]!;
    const roomBytes = modelRoomBytes(budgetBytes);
    const { kind, memory } = await prepareFittingVersion(manifest, choice, roomBytes, () => readFile(model.path));
    const heapBytes = plannedHeapBytes([memory]);
    return { engine: kind, heap_bytes: heapBytes, body_bytes: bodyRoomBytes(budgetBytes, heapBytes) };
  } catch (error) {
    if (!(error instanceof ModelError) || error.code !== 'model_too_large') throw error;
    const ways = manifest.default_variant === 'fp32' ? 'int8 and smaller images take less' : 'smaller images take less';
    const { details } = error;
    throw new ModelError(
      'model_too_large',
      `${error.message}. ${ways}; "import --variants gpu" makes a version for GPU backends alone`,
      {
        details,
      },
    );
  }
}

function sum(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
