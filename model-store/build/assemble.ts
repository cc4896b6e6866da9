/**
 * Puts a version together: built graphs, labels and processor options to files and the manifest that names them.
 * Pure, no I/O, no clock: the same input gives the same bytes.
 */
import { bitConfigToJson, functionToApply } from '../bit-config.ts';
import type { FileReference, Manifest, Variant, VariantName } from '../manifest.ts';
import { sha256Hex } from '../sha256.ts';
import type { Checkpoint } from './checkpoint/checkpoint.ts';
import type { PreprocessorJson } from './checkpoint/preprocessor.ts';
import { type BuiltGraph, countMacs } from './graph/build.ts';
import type { SpatialSize } from './graph/padding.ts';

/** File names of one variant. */
export interface VariantFiles {
  readonly model: string;
  readonly weights: string;
}

/** Names of a variant's files: the default variant has the plain ones. The graph names `weights`, so builders need it. */
export function variantFiles(variant: VariantName, defaultVariant: VariantName): VariantFiles {
  const suffix = variant === defaultVariant ? '' : `-${variant}`;
  return { model: `model${suffix}.onnx`, weights: `weights${suffix}.bin` };
}

/** A graph built for one variant. */
export interface VariantSource {
  readonly graph: BuiltGraph;
  /** As `Variant.wasm_heap_bytes`. */
  readonly wasmHeapBytes: number | null;
}

/** What a version is made of. */
export interface VersionParts {
  readonly name: string;
  /** Null names the version after its content: `sha-` and 12 hex digits. */
  readonly version: string | null;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly source: Manifest['source'];
  readonly checkpoint: Checkpoint;
  readonly preprocessor: PreprocessorJson;
  /** What the preprocessor makes, for counting where a graph leaves its input size free. */
  readonly imageSize: SpatialSize;
  readonly variants: Readonly<Partial<Record<VariantName, VariantSource>>>;
  readonly defaultVariant: VariantName;
  /** The bytes of report.json; null for none. */
  readonly report: Uint8Array | null;
  /** Further files for people, by name. */
  readonly attachments: ReadonlyMap<string, Uint8Array>;
}

/** A version ready to be written: every file but the manifest, and the manifest. */
export interface AssembledVersion {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** JSON as it is stored: two spaces, a newline at the end. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/** Assembles a version; hashes every file. */
export async function assembleVersion(parts: VersionParts): Promise<AssembledVersion> {
  const files = new Map<string, Uint8Array>();
  const add = async (path: string, bytes: Uint8Array): Promise<FileReference> => {
    files.set(path, bytes);
    return { path, bytes: bytes.byteLength, sha256: await sha256Hex(bytes) };
  };
  const { config } = parts.checkpoint;
  const labels = await add('labels.json', encodeJson(config.labels));
  const preprocessor = await add('preprocessor.json', encodeJson(parts.preprocessor));
  const variants: Partial<Record<VariantName, Variant>> = {};
  for (const variant of ['int8', 'fp32', 'gpu'] as const) {
    const source = parts.variants[variant];
    if (source === undefined) continue;
    const { graph, wasmHeapBytes } = source;
    const names = variantFiles(variant, parts.defaultVariant);
    variants[variant] = {
      model: await add(names.model, graph.model),
      weights: graph.weights && (await add(names.weights, graph.weights)),
      inputs: [...graph.inputs],
      outputs: [...graph.outputs],
      macs: graph.macs ?? countMacs(parts.checkpoint, parts.imageSize),
      parameters: graph.parameters,
      wasm_heap_bytes: wasmHeapBytes,
    };
  }
  const report = parts.report && (await add('report.json', parts.report));
  const attachments: FileReference[] = [];
  for (const [path, bytes] of parts.attachments) attachments.push(await add(path, bytes));
  const scores = functionToApply(config);
  // Named from the day when every version had softmax.
  const content = { labels, preprocessor, variants, ...(scores === 'sigmoid' ? { function_to_apply: scores } : {}) };
  const version = parts.version ?? `sha-${(await sha256Hex(encodeJson(content))).slice(0, 12)}`;
  const manifest: Manifest = {
    schema_version: 1,
    name: parts.name,
    version,
    created_at: parts.createdAt,
    source: parts.source,
    config: bitConfigToJson(config),
    num_labels: config.numLabels,
    function_to_apply: scores,
    labels,
    preprocessor,
    report,
    attachments,
    variants,
    default_variant: parts.defaultVariant,
  };
  return { manifest, files };
}
