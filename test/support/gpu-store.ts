/** Writes a model store into a folder, for tests of the GPU backend. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aliasKey, manifestKey, modelFileKey } from '../../model-store/layout.ts';
import type { FileReference, Manifest, Variant } from '../../model-store/manifest.ts';

/** What a version is made of; the files are only written, not read. */
export interface StoredVersion {
  readonly name: string;
  readonly version: string;
  readonly onnx: Uint8Array;
  readonly weights?: { readonly path: string; readonly bytes: Uint8Array } | undefined;
  readonly inputs: Variant['inputs'];
  readonly outputs: Variant['outputs'];
  readonly labels?: readonly string[];
  /** Side of the square input in px. */
  readonly sidePx: number;
  /** Leaves out the `gpu` variant. */
  readonly withoutGpu?: boolean;
}

/** Writes one version, its manifest last. */
export async function writeVersion(root: string, version: StoredVersion): Promise<Manifest> {
  const put = async (path: string, bytes: Uint8Array): Promise<FileReference> => {
    const target = join(root, modelFileKey(version.name, version.version, path));
    await mkdir(join(target, '..'), { recursive: true });
    await writeFile(target, bytes);
    return { path, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const size = { height: version.sidePx, width: version.sidePx };
  const labels = version.labels ?? [];
  const variant: Variant = {
    model: await put('gpu.onnx', version.onnx),
    weights: version.weights === undefined ? null : await put(version.weights.path, version.weights.bytes),
    inputs: version.inputs,
    outputs: version.outputs,
    macs: 0,
    parameters: 0,
    wasm_heap_bytes: null,
  };
  const manifest: Manifest = {
    schema_version: 1,
    name: version.name,
    version: version.version,
    created_at: '2026-01-01T00:00:00Z',
    source: { kind: 'huggingface', reference: 'test', sha256: null },
    config: {},
    num_labels: labels.length,
    labels: await put('labels.json', json(labels)),
    preprocessor: await put('preprocessor.json', json({ size, do_center_crop: false })),
    report: null,
    attachments: [],
    variants: version.withoutGpu === true ? { fp32: variant } : { fp32: variant, gpu: variant },
    default_variant: 'fp32',
  };
  await writeFile(join(root, manifestKey(version.name, version.version)), JSON.stringify(manifest));
  return manifest;
}

/** Lets an alias name a version. */
export async function writeAlias(root: string, name: string, alias: string, version: string): Promise<void> {
  const target = join(root, aliasKey(name, alias));
  await mkdir(join(target, '..'), { recursive: true });
  await writeFile(target, JSON.stringify({ version, updated_at: '2026-01-01T00:00:00Z' }));
}
