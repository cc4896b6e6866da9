/** A version with files of a few bytes, for tests of what carries versions about and does not run them. */
import type { FileReference, Manifest } from '../../model-store/manifest.ts';
import { sha256Hex } from '../../model-store/sha256.ts';

/** What `publishVersion` takes, and which version it is. */
export interface SmallVersion {
  readonly name: string;
  readonly version: string;
  readonly manifest: string;
  read(path: string): Promise<Uint8Array>;
}

/** `tiny@1`. */
export async function smallVersion(): Promise<SmallVersion> {
  const files = new Map<string, Uint8Array>();
  const reference = async (path: string, text: string): Promise<FileReference> => {
    const bytes = new TextEncoder().encode(text);
    files.set(path, bytes);
    return { path, bytes: bytes.length, sha256: await sha256Hex(bytes) };
  };
  const tensor = { name: 'logits', dtype: 'float32' as const, shape: ['batch', 2] };
  const manifest: Manifest = {
    schema_version: 1,
    name: 'tiny',
    version: '1',
    created_at: '2026-01-02T03:04:05Z',
    source: { kind: 'huggingface', reference: 'here', sha256: null },
    config: {},
    num_labels: 2,
    labels: await reference('labels.json', '["a","b"]'),
    preprocessor: await reference('preprocessor.json', '{}'),
    report: null,
    attachments: [],
    variants: {
      fp32: {
        model: await reference('model.onnx', 'graph'),
        weights: await reference('weights.bin', 'weights'),
        inputs: [tensor],
        outputs: [tensor],
        macs: 1,
        parameters: 1,
        wasm_heap_bytes: null,
      },
    },
    default_variant: 'fp32',
  };
  const read = async (path: string): Promise<Uint8Array> => {
    const bytes = files.get(path);
    if (bytes === undefined) throw new Error(`there is no file ${path}`);
    return bytes;
  };
  return { name: manifest.name, version: manifest.version, manifest: JSON.stringify(manifest), read };
}
