/** What a head's Durable Object writes to the models bucket: versions first, the index that names them last. */
import type { ObjectStore } from '../../model-store/object-store.ts';
import { listAll } from '../../model-store/object-store.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { writeHead } from './head-file.ts';
import {
  type HeadIndex,
  type HeadVersion,
  headFileKey,
  headIndexKey,
  headPicturesPrefix,
  headVersionsPrefix,
} from './layout.ts';
import type { HeadModel } from './math/head-model.ts';
import type { HeadReport } from './math/report.ts';
import type { HeadSettings } from './records.ts';

/** Hex digits of a version's name: it is the beginning of its hash. */
const VERSION_DIGITS = 12;

/** File names of a version. */
export const HEAD_FILE = 'head.safetensors';
export const REPORT_FILE = 'report.json';

/** Stores a version; the same head has the same name, and is written over itself. */
export async function storeVersion(
  store: ObjectStore,
  { owner, name, backbone }: HeadSettings,
  head: HeadModel,
  report: HeadReport,
  now: string,
): Promise<HeadVersion> {
  const bytes = writeHead(head);
  const sha256 = await sha256Hex(bytes);
  // The same numbers on another backbone are another head.
  const identity = `${backbone.name}@${backbone.version} ${sha256}`;
  const version = (await sha256Hex(new TextEncoder().encode(identity))).slice(0, VERSION_DIGITS);
  const json = new TextEncoder().encode(`${JSON.stringify(report)}\n`);
  await store.put(headFileKey(owner, name, version, REPORT_FILE), json, { contentType: 'application/json' });
  await store.put(headFileKey(owner, name, version, HEAD_FILE), bytes, { sha256 });
  return {
    version,
    created_at: now,
    method: report.method,
    examples: report.examples,
    classes: head.classes.length,
    accuracy: report.accuracy?.value ?? null,
    bytes: bytes.byteLength,
    sha256,
    backbone,
  };
}

/** Writes the index: from here on readers see what it says. */
export async function publishIndex(store: ObjectStore, index: HeadIndex): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(index)}\n`);
  await store.put(headIndexKey(index.owner, index.name), bytes, { contentType: 'application/json' });
}

/** Removes the files of a version. */
export async function removeVersion(store: ObjectStore, owner: string, name: string, version: string): Promise<void> {
  await store.delete([HEAD_FILE, REPORT_FILE].map((file) => headFileKey(owner, name, version, file)));
}

/** Removes a head: its index first, so that nothing names what goes. */
export async function removeHead(
  store: ObjectStore,
  owner: string,
  name: string,
  grants: readonly string[],
): Promise<void> {
  await store.delete([headIndexKey(owner, name), ...grants.map((tenant) => headIndexKey(tenant, name))]);
  for (const prefix of [headVersionsPrefix(owner, name), headPicturesPrefix(owner, name)]) {
    const keys = (await listAll(store, prefix)).map(({ key }) => key);
    if (keys.length > 0) await store.delete(keys);
  }
}
