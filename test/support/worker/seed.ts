/** Puts the default model into the bucket of a test in workerd. */
import { env } from 'cloudflare:test';
import { type Manifest, parseManifest } from '../../../model-store/manifest.ts';
import { publishVersion } from '../../../model-store/publish.ts';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { moveAlias } from '../../../model-store/versions.ts';

/** A file of the default model or below test/fixtures. @throws Error where there is none. */
export async function readFixture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await env.FIXTURES.fetch(`http://fixtures/${path}`);
  if (!response.ok) throw new Error(await response.text());
  return new Uint8Array(await response.arrayBuffer());
}

/** Publishes the default model, with the alias `latest`. */
export async function seedDefaultModel(bucket: R2Bucket = env.MODELS): Promise<Manifest> {
  const store = new R2ObjectStore(bucket);
  const text = new TextDecoder().decode(await readFixture('model/manifest.json'));
  const manifest = parseManifest(text);
  await publishVersion(store, { manifest: text, read: (path) => readFixture(`model/${path}`) });
  await moveAlias(store, manifest.name, 'latest', manifest.version, '2026-01-01T00:00:00Z');
  return manifest;
}
