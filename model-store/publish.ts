/**
 * Publishing a version. No clock, no I/O but the store's.
 *
 * Files first, each with its SHA-256 and only where there is none of that name; the manifest last, so that a reader
 * sees a whole version or none. A publish that was interrupted can be run again: files that are there already are
 * skipped. A version never changes: other bytes under the same version are refused.
 */
import { RequestError } from '../worker/errors.ts';
import { manifestKey, modelFileKey } from './layout.ts';
import { type FileReference, type Manifest, parseManifest } from './manifest.ts';
import { getText, type ObjectHead, type ObjectStore } from './object-store.ts';
import { sha256Hex } from './sha256.ts';

/** What became of one file. */
export interface PublishedFile {
  readonly path: string;
  readonly bytes: number;
  /** `skipped` where the store had it; `repaired` where it had other bytes than the published manifest says. */
  readonly action: 'written' | 'skipped' | 'repaired';
}

/** A version to publish. */
export interface VersionSource {
  /** The text of manifest.json. */
  readonly manifest: string;
  /** The bytes of a file that the manifest names. */
  read(path: string): Promise<Uint8Array>;
}

/** What a publish did. */
export interface PublishResult {
  readonly name: string;
  readonly version: string;
  readonly files: readonly PublishedFile[];
  /** True where the version was there before, whole. */
  readonly alreadyPublished: boolean;
}

/**
 * Publishes a version, or completes or repairs one with the same manifest.
 * @param onFile told of each file as it is done.
 * @throws ModelError `invalid_manifest`; `model_corrupt` where a file is not what the manifest says.
 * @throws RequestError `conflict` where the version exists with other content.
 */
export async function publishVersion(
  store: ObjectStore,
  source: VersionSource,
  onFile: (file: PublishedFile) => void = () => {},
): Promise<PublishResult> {
  const manifest = parseManifest(source.manifest);
  const { name, version } = manifest;
  const key = manifestKey(name, version);
  const before = await getText(store, key);
  if (before !== null && before.text !== source.manifest) throw versionExists(name, version, 'manifest.json');
  const files: PublishedFile[] = [];
  for (const reference of manifestFiles(manifest)) {
    const action = await publishFile(store, manifest, reference, source, before !== null);
    const file: PublishedFile = { path: reference.path, bytes: reference.bytes, action };
    files.push(file);
    onFile(file);
  }
  if (before === null) {
    const text = new TextEncoder().encode(source.manifest);
    const sha256 = await sha256Hex(text);
    const written = await store.put(key, text, { sha256, onlyIf: { absent: true }, contentType: 'application/json' });
    if (!written && (await getText(store, key))?.text !== source.manifest) {
      throw versionExists(name, version, 'manifest.json');
    }
    // A garbage collection that began before the manifest was there may have taken files left by an earlier attempt.
    for (const reference of manifestFiles(manifest)) await publishFile(store, manifest, reference, source, true);
  }
  return { name, version, files, alreadyPublished: before !== null };
}

/** The files that a manifest names, each once, the small ones first. */
export function manifestFiles(manifest: Manifest): FileReference[] {
  const references = [manifest.labels, manifest.preprocessor, ...manifest.attachments];
  if (manifest.report !== null) references.push(manifest.report);
  for (const variant of Object.values(manifest.variants)) {
    references.push(variant.model);
    if (variant.weights !== null) references.push(variant.weights);
  }
  const byPath = new Map(references.map((reference) => [reference.path, reference]));
  return [...byPath.values()].sort((a, b) => a.bytes - b.bytes);
}

async function publishFile(
  store: ObjectStore,
  { name, version }: Manifest,
  reference: FileReference,
  source: VersionSource,
  isPublished: boolean,
): Promise<PublishedFile['action']> {
  const key = modelFileKey(name, version, reference.path);
  const existing = await store.head(key);
  if (existing !== null && (await holds(store, existing, reference))) return 'skipped';
  // Under a published manifest, other bytes can only be damage; without one they are someone's other attempt.
  if (existing !== null && !isPublished) throw versionExists(name, version, reference.path);
  const { sha256 } = reference;
  const contentType = reference.path.endsWith('.json') ? 'application/json' : 'application/octet-stream';
  const bytes = await source.read(reference.path);
  if (existing !== null) {
    await store.put(key, bytes, { sha256, contentType });
    return 'repaired';
  }
  if (await store.put(key, bytes, { sha256, contentType, onlyIf: { absent: true } })) return 'written';
  const winner = await store.head(key);
  if (winner !== null && (await holds(store, winner, reference))) return 'skipped';
  throw versionExists(name, version, reference.path);
}

/** Whether an object holds the bytes referred to; read and hashed only where the store does not know the hash. */
async function holds(store: ObjectStore, head: ObjectHead, reference: FileReference): Promise<boolean> {
  if (head.size !== reference.bytes) return false;
  if (head.sha256 !== null) return head.sha256 === reference.sha256;
  const object = await store.get(head.key);
  return object !== null && (await sha256Hex(await object.bytes())) === reference.sha256;
}

function versionExists(name: string, version: string, path: string): RequestError {
  return new RequestError(
    'conflict',
    `${name}/${version} is there already with another ${path}; versions never change: publish under a new version, ` +
      'or delete this one first',
    { details: { model: name, version, path } },
  );
}
