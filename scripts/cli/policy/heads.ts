/** The heads that a policy is checked and measured with: of a store, or of folders that `bit-edge head train` wrote. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../../model-store/manifest.ts';
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { sha256Hex } from '../../../model-store/sha256.ts';
import { RequestError } from '../../../worker/errors.ts';
import { readHead } from '../../../worker/heads/head-file.ts';
import { HeadLibrary } from '../../../worker/heads/head-library.ts';
import { HEAD_FILE } from '../../../worker/heads/head-publisher.ts';
import type { HeadModel } from '../../../worker/heads/math/head-model.ts';
import type { PolicyHeadSource } from '../../../worker/moderation/policy-heads.ts';

/** The heads of a store. */
export function storedHeads(store: ObjectStore): PolicyHeadSource {
  return new HeadLibrary({ store, maxAgeMs: 0, modelNames: [], now: () => Date.now() });
}

/**
 * Heads of folders, whatever version and key a policy names.
 * @param named `NAME=FOLDER` each.
 * @param backbone what they are taken to be on.
 * @throws RequestError `invalid_parameter`.
 */
export async function localHeads(named: readonly string[], backbone: Manifest): Promise<PolicyHeadSource> {
  const heads = new Map<string, { readonly model: HeadModel; readonly sha256: string; readonly bytes: number }>();
  for (const each of named) {
    const at = each.indexOf('=');
    if (at < 1) throw new RequestError('invalid_parameter', `--head ${each} is not NAME=FOLDER`);
    const file = join(each.slice(at + 1), HEAD_FILE);
    const bytes = new Uint8Array(await readFile(file));
    heads.set(each.slice(0, at), {
      model: readHead(bytes, file),
      sha256: await sha256Hex(bytes),
      bytes: bytes.byteLength,
    });
  }
  return {
    async find({ name }) {
      const head = heads.get(name);
      if (head === undefined) return null;
      const { model, sha256, bytes } = head;
      const facts = { method: 'local', examples: 0, accuracy: null, created_at: new Date(0).toISOString() };
      const version = {
        ...facts,
        version: sha256.slice(0, 12),
        classes: model.classes.length,
        bytes,
        sha256,
        backbone: { name: backbone.name, version: backbone.version },
      };
      return { name, owner: 'local', version };
    },
    async load({ name }) {
      return heads.get(name)!.model;
    },
  };
}
