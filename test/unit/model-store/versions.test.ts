import { beforeEach, describe, expect, it } from 'vitest';
import { aliasKey, manifestKey, modelFileKey } from '../../../model-store/layout.ts';
import type { FileReference, Manifest } from '../../../model-store/manifest.ts';
import { MemoryObjectStore } from '../../../model-store/memory-object-store.ts';
import type { PutOptions } from '../../../model-store/object-store.ts';
import { publishVersion, type VersionSource } from '../../../model-store/publish.ts';
import { sha256Hex } from '../../../model-store/sha256.ts';
import {
  collectGarbage,
  deleteVersion,
  listVersions,
  moveAlias,
  resolveAlias,
  resolveVersion,
  rollback,
} from '../../../model-store/versions.ts';

const HOUR_MS = 3_600_000;
const NOW = '2026-01-02T03:04:05Z';

/** A version with tiny files; `salt` changes the weights. */
async function version(
  version: string,
  salt = version,
): Promise<VersionSource & { files: Record<string, Uint8Array> }> {
  const files: Record<string, Uint8Array> = {};
  const reference = async (path: string, text: string): Promise<FileReference> => {
    files[path] = new TextEncoder().encode(text);
    return { path, bytes: files[path].length, sha256: await sha256Hex(files[path]) };
  };
  const tensor = { name: 'logits', dtype: 'float32' as const, shape: ['batch', 2] };
  const manifest: Manifest = {
    schema_version: 1,
    name: 'tiny',
    version,
    created_at: NOW,
    source: { kind: 'huggingface', reference: 'here', sha256: null },
    config: {},
    num_labels: 2,
    labels: await reference('labels.json', '["a","b"]'),
    preprocessor: await reference('preprocessor.json', '{}'),
    report: null,
    attachments: [await reference('report.md', '# report')],
    variants: {
      fp32: {
        model: await reference('model.onnx', 'graph'),
        weights: await reference('weights.bin', `weights ${salt}`),
        inputs: [tensor],
        outputs: [tensor],
        macs: 1,
        parameters: 1,
        wasm_heap_bytes: null,
      },
    },
    default_variant: 'fp32',
  };
  return { manifest: JSON.stringify(manifest), files, read: async (path) => files[path]! };
}

/** Fails every put from the nth on, as a connection that breaks. */
class BreakingStore extends MemoryObjectStore {
  putsLeft = Number.POSITIVE_INFINITY;
  readonly keys: string[] = [];
  override async put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<boolean> {
    if (this.putsLeft-- <= 0) throw new Error('connection lost');
    this.keys.push(key);
    return super.put(key, bytes, options);
  }
}

let store: BreakingStore;
let clockMs: number;
beforeEach(() => {
  clockMs = 1_000_000_000;
  store = new BreakingStore(() => clockMs);
});

describe('publishVersion', () => {
  it('writes every file and the manifest last', async () => {
    const source = await version('1');
    const result = await publishVersion(store, source);
    expect(result).toMatchObject({ name: 'tiny', version: '1', alreadyPublished: false });
    expect(result.files.map(({ path }) => path).sort()).toEqual(Object.keys(source.files).sort());
    expect(store.keys.at(-1)).toBe(manifestKey('tiny', '1'));
    expect(store.keys).toHaveLength(6);
    expect(await (await store.get(modelFileKey('tiny', '1', 'weights.bin')))!.bytes()).toEqual(
      source.files['weights.bin'],
    );
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'interrupted after %d writes, shows no version, and completes when run again',
    async (writes) => {
      const source = await version('1');
      store.putsLeft = writes;
      await expect(publishVersion(store, source)).rejects.toThrowError('connection lost');
      expect((await listVersions(store)).filter(({ complete }) => complete)).toEqual([]);
      store.putsLeft = Number.POSITIVE_INFINITY;
      const again = await publishVersion(store, source);
      expect(again.files.filter(({ action }) => action === 'skipped')).toHaveLength(writes);
      expect((await listVersions(store))[0]).toMatchObject({ version: '1', complete: true });
    },
  );

  it('skips everything when the same version is published twice', async () => {
    await publishVersion(store, await version('1'));
    const again = await publishVersion(store, await version('1'));
    expect(again.alreadyPublished).toBe(true);
    expect(again.files.every(({ action }) => action === 'skipped')).toBe(true);
    expect(store.keys).toHaveLength(6);
  });

  it('refuses other bytes under a published version', async () => {
    await publishVersion(store, await version('1'));
    const before = await store.head(modelFileKey('tiny', '1', 'weights.bin'));
    await expect(publishVersion(store, await version('1', 'other'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.head(modelFileKey('tiny', '1', 'weights.bin'))).toEqual(before);
  });

  it('refuses to mix with the remains of another attempt', async () => {
    store.putsLeft = 5;
    await expect(publishVersion(store, await version('1'))).rejects.toThrowError('connection lost');
    store.putsLeft = Number.POSITIVE_INFINITY;
    await expect(publishVersion(store, await version('1', 'other'))).rejects.toThrowError('another weights.bin');
    expect(await store.head(manifestKey('tiny', '1'))).toBeNull();
  });

  it('repairs a damaged and a missing file of a published version', async () => {
    const source = await version('1');
    await publishVersion(store, source);
    const weights = modelFileKey('tiny', '1', 'weights.bin');
    await store.put(weights, new Uint8Array(source.files['weights.bin']!.length));
    await store.delete([modelFileKey('tiny', '1', 'labels.json')]);
    const again = await publishVersion(store, source);
    const actions = Object.fromEntries(again.files.map(({ path, action }) => [path, action]));
    expect(actions).toMatchObject({ 'weights.bin': 'repaired', 'labels.json': 'written', 'model.onnx': 'skipped' });
    expect(await (await store.get(weights))!.bytes()).toEqual(source.files['weights.bin']);
  });

  it('does not overwrite what another publish wrote in the same moment', async () => {
    const weights = modelFileKey('tiny', '1', 'weights.bin');
    const other = new TextEncoder().encode('other weights');
    const put = store.put.bind(store);
    store.put = async (key, bytes, options) => {
      if (key === weights) await put(weights, other);
      return put(key, bytes, options);
    };
    await expect(publishVersion(store, await version('1'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await (await store.get(weights))!.bytes()).toEqual(other);
    expect(await store.head(manifestKey('tiny', '1'))).toBeNull();
  });

  it('puts back what a garbage collection took while it ran', async () => {
    const source = await version('1');
    store.putsLeft = 5;
    await expect(publishVersion(store, source)).rejects.toThrowError('connection lost');
    store.putsLeft = Number.POSITIVE_INFINITY;
    const put = store.put.bind(store);
    store.put = async (key, bytes, options) => {
      if (key === manifestKey('tiny', '1')) await store.delete([modelFileKey('tiny', '1', 'weights.bin')]);
      return put(key, bytes, options);
    };
    await publishVersion(store, source);
    expect(await store.head(modelFileKey('tiny', '1', 'weights.bin'))).not.toBeNull();
  });

  it('accepts a file that another tool uploaded without a hash, after hashing it', async () => {
    const source = await version('1');
    await store.put(modelFileKey('tiny', '1', 'weights.bin'), source.files['weights.bin']!);
    const result = await publishVersion(store, source);
    expect(result.files.find(({ path }) => path === 'weights.bin')!.action).toBe('skipped');
  });

  it('refuses a file that is not what the manifest says, and publishes nothing', async () => {
    const source = await version('1');
    const lying = { ...source, read: async () => new Uint8Array(3) };
    await expect(publishVersion(store, lying)).rejects.toMatchObject({ code: 'model_corrupt' });
    expect(await store.head(manifestKey('tiny', '1'))).toBeNull();
  });
});

describe('aliases', () => {
  beforeEach(async () => {
    for (const name of ['1', '2', '3']) await publishVersion(store, await version(name));
  });

  it('move, and are resolved', async () => {
    expect(await moveAlias(store, 'tiny', 'latest', '1', NOW)).toEqual({
      name: 'tiny',
      alias: 'latest',
      from: null,
      to: '1',
    });
    expect(await moveAlias(store, 'tiny', 'latest', '2', NOW)).toMatchObject({ from: '1', to: '2' });
    expect(await resolveVersion(store, 'tiny', 'latest')).toBe('2');
    expect(await resolveVersion(store, 'tiny', '3')).toBe('3');
    expect(await resolveAlias(store, 'tiny', 'stable')).toBeNull();
    await expect(resolveVersion(store, 'tiny', 'stable')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('never name a version that is not published', async () => {
    await expect(moveAlias(store, 'tiny', 'latest', '4', NOW)).rejects.toMatchObject({ code: 'model_not_found' });
    expect(await resolveAlias(store, 'tiny', 'latest')).toBeNull();
  });

  it('go back step by step, past versions that were deleted', async () => {
    for (const name of ['1', '2', '3']) await moveAlias(store, 'tiny', 'latest', name, NOW);
    await deleteVersion(store, 'tiny', '2');
    expect(await rollback(store, 'tiny', 'latest', NOW)).toMatchObject({ from: '3', to: '1' });
    await expect(rollback(store, 'tiny', 'latest', NOW)).rejects.toThrowError('no earlier version');
    await expect(rollback(store, 'tiny', 'stable', NOW)).rejects.toThrowError('no alias "stable"');
  });

  it('go back to another version, however often they were moved to this one', async () => {
    for (const name of ['1', '2', '2', '2']) await moveAlias(store, 'tiny', 'latest', name, NOW);
    expect(await rollback(store, 'tiny', 'latest', NOW)).toMatchObject({ from: '2', to: '1' });
  });

  it('remember the last twenty versions', async () => {
    for (let i = 0; i < 30; i++) await moveAlias(store, 'tiny', 'latest', String((i % 3) + 1), NOW);
    expect((await resolveAlias(store, 'tiny', 'latest'))!.history).toHaveLength(20);
  });

  it('are not overwritten when someone else moves them at the same time', async () => {
    await moveAlias(store, 'tiny', 'latest', '1', NOW);
    const record = JSON.stringify({ version: '3', updated_at: NOW });
    store.put = async (key, bytes, options) => {
      if (key === aliasKey('tiny', 'latest')) {
        await MemoryObjectStore.prototype.put.call(store, key, new TextEncoder().encode(record));
      }
      return MemoryObjectStore.prototype.put.call(store, key, bytes, options);
    };
    await expect(moveAlias(store, 'tiny', 'latest', '2', NOW)).rejects.toMatchObject({ code: 'conflict' });
    expect(await resolveVersion(store, 'tiny', 'latest')).toBe('3');
  });
});

describe('listVersions', () => {
  it('shows sizes, variants, aliases, and what an unfinished publish left', async () => {
    await publishVersion(store, await version('1'));
    await moveAlias(store, 'tiny', 'latest', '1', NOW);
    await moveAlias(store, 'tiny', 'stable', '1', NOW);
    store.putsLeft = 2;
    await expect(publishVersion(store, await version('2'))).rejects.toThrowError();
    expect(await listVersions(store, 'tiny')).toMatchObject([
      { version: '1', complete: true, createdAt: NOW, variants: ['fp32'], aliases: ['latest', 'stable'] },
      { version: '2', complete: false, createdAt: null, variants: [], aliases: [] },
    ]);
    expect(await listVersions(store, 'other')).toEqual([]);
  });
});

describe('deleteVersion', () => {
  it('refuses a version that an alias names, and deletes it once none does', async () => {
    await publishVersion(store, await version('1'));
    await publishVersion(store, await version('2'));
    await moveAlias(store, 'tiny', 'latest', '1', NOW);
    await expect(deleteVersion(store, 'tiny', '1')).rejects.toThrowError('tiny/1 is what latest names');
    await moveAlias(store, 'tiny', 'latest', '2', NOW);
    expect(await deleteVersion(store, 'tiny', '1')).toHaveLength(6);
    expect((await listVersions(store)).map(({ version }) => version)).toEqual(['2']);
  });

  it('deletes exactly the version named, and says so where there is none', async () => {
    await publishVersion(store, await version('1'));
    await publishVersion(store, await version('1.1'));
    await deleteVersion(store, 'tiny', '1');
    expect((await listVersions(store)).map(({ version }) => version)).toEqual(['1.1']);
    await expect(deleteVersion(store, 'tiny', '1')).rejects.toMatchObject({ code: 'model_not_found' });
  });
});

describe('collectGarbage', () => {
  it('deletes old remains of unfinished publishes and nothing else', async () => {
    await publishVersion(store, await version('1'));
    store.putsLeft = 2;
    await expect(publishVersion(store, await version('2'))).rejects.toThrowError();
    clockMs += 23 * HOUR_MS;
    store.putsLeft = 1;
    await expect(publishVersion(store, await version('3'))).rejects.toThrowError();
    clockMs += 2 * HOUR_MS;
    const preview = await collectGarbage(store, clockMs, 24 * HOUR_MS, true);
    expect(await collectGarbage(store, clockMs, 24 * HOUR_MS)).toEqual(preview);
    expect(preview).toHaveLength(2);
    expect((await listVersions(store)).map(({ version }) => version)).toEqual(['1', '3']);
  });

  it('spares a version whose remains are old but whose publish has resumed', async () => {
    store.putsLeft = 2;
    await expect(publishVersion(store, await version('1'))).rejects.toThrowError();
    clockMs += 30 * HOUR_MS;
    store.putsLeft = 1;
    await expect(publishVersion(store, await version('1'))).rejects.toThrowError();
    expect(await collectGarbage(store, clockMs + HOUR_MS, 24 * HOUR_MS)).toEqual([]);
  });
});
