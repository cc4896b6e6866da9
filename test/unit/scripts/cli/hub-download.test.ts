import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../../../model-store/safetensors.ts';
import { downloadFromHub } from '../../../../scripts/cli/sources/hub-download.ts';
import { openSource } from '../../../../scripts/cli/sources/open-source.ts';
import { COMMIT, type HubServer, startHub } from '../../../support/hub-server.ts';

const ID = 'google/bit-50';
const config = new Uint8Array(await readFile('test/fixtures/bit/default/config.json'));
const weights = new Uint8Array(await readFile('test/fixtures/bit/default/model.safetensors'));
const sha256 = createHash('sha256').update(weights).digest('hex');
const preprocessor = new TextEncoder().encode('{"size": {"shortest_edge": 64}}');

let hub: HubServer;
let cache: string;
beforeEach(async () => {
  hub = await startHub();
  hub.behaviour.repositories[ID] = {
    'config.json': config,
    'preprocessor_config.json': preprocessor,
    'model.safetensors': weights,
  };
  cache = await mkdtemp(join(tmpdir(), 'bit-edge-hub-'));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await hub.close();
  await rm(cache, { recursive: true, force: true });
});

const download = (revision = 'main', token: string | null = null, id = ID) =>
  downloadFromHub({ endpoint: hub.endpoint, token }, id, revision, cache);

describe('downloadFromHub', () => {
  it('brings config, processor and weights of one commit', async () => {
    const { folder, commit } = await download();
    expect(commit).toBe(COMMIT);
    expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors', 'preprocessor_config.json']);
    expect(new Uint8Array(await readFile(join(folder, 'model.safetensors')))).toEqual(weights);
    const pinned = hub.seen.filter(({ host, path }) => host === 'hub' && !path.endsWith('/main/config.json'));
    expect(pinned.every(({ path }) => path.includes(`/resolve/${COMMIT}/`))).toBe(true);
  });

  it('brings the pickle of torch where there are no safetensors, whole or in shards', async () => {
    const folder = 'test/fixtures/checkpoint/torch';
    const own = new Uint8Array(await readFile(`${folder}/config.json`));
    const shards: Record<string, Uint8Array> = {};
    for (const name of await readdir(`${folder}/sharded`)) {
      shards[name] = new Uint8Array(await readFile(`${folder}/sharded/${name}`));
    }
    hub.behaviour.repositories['google/pickle'] = {
      'config.json': own,
      'pytorch_model.bin': new Uint8Array(await readFile(`${folder}/zip.bin`)),
    };
    hub.behaviour.repositories['google/shards'] = { 'config.json': own, ...shards };
    const env = { HF_ENDPOINT: hub.endpoint, BIT_EDGE_CACHE: cache };
    const whole = await openSource('google/pickle', null, env);
    expect(whole.weightFiles).toEqual(['pytorch_model.bin']);
    const sharded = await openSource('google/shards', null, env);
    expect(sharded.weightFiles).toEqual(['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin']);
    expect(sharded.checkpoint.weights).toEqual(whole.checkpoint.weights);
  });

  it('is openable by name, with the commit in its reference', async () => {
    const env = { HF_ENDPOINT: hub.endpoint, BIT_EDGE_CACHE: cache };
    const source = await openSource(ID, null, env);
    expect(source).toMatchObject({ kind: 'huggingface', reference: `${ID}@${COMMIT}`, suggestedName: 'bit-50' });
    expect(source.preprocessor).toEqual({ size: { shortest_edge: 64 } });
  });

  it('does not fetch again what is there, and notices what was damaged', async () => {
    const { folder } = await download();
    hub.seen.length = 0;
    await download();
    expect(hub.seen.every(({ method }) => method === 'HEAD')).toBe(true);
    await writeFile(
      join(folder, 'model.safetensors'),
      weights.map((byte) => byte ^ 1),
    );
    await download();
    expect(new Uint8Array(await readFile(join(folder, 'model.safetensors')))).toEqual(weights);
  });

  it('sends the token to the hub and never to the CDN', async () => {
    hub.behaviour.isPrivate.add(ID);
    hub.behaviour.token = 'hf_secret';
    await download('main', 'hf_secret');
    const tokens = (host: string) =>
      new Set(hub.seen.filter((each) => each.host === host).map((each) => each.authorization));
    expect(tokens('hub')).toEqual(new Set(['Bearer hf_secret']));
    expect(tokens('cdn')).toEqual(new Set([undefined]));
  });

  it('follows a renamed repository', async () => {
    hub.behaviour.renamed['old/name'] = ID;
    await download('main', null, 'old/name');
    expect(hub.seen.some(({ path }) => path.startsWith(`/${ID}/`))).toBe(true);
  });

  it('resumes where a connection broke', async () => {
    hub.behaviour.breakAfterBytes = 100_000;
    hub.behaviour.breaksLeft = 2;
    const { folder } = await download();
    expect(new Uint8Array(await readFile(join(folder, 'model.safetensors')))).toEqual(weights);
    const ranges = hub.seen.filter(({ host }) => host === 'cdn').map(({ range }) => range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => Number(/^bytes=(\d+)-$/.exec(range!)![1]) > 0)).toBe(true);
    expect(ranges.length).toBeGreaterThanOrEqual(2);
  });

  it('resumes in the next run what an earlier one left', async () => {
    const { folder } = await download();
    await rm(join(folder, 'model.safetensors'));
    await writeFile(join(folder, `model.safetensors.${sha256.slice(0, 16)}.incomplete`), weights.subarray(0, 1234));
    hub.seen.length = 0;
    await download();
    expect(hub.seen.filter(({ host }) => host === 'cdn').map(({ range }) => range)).toEqual(['bytes=1234-']);
    expect(new Uint8Array(await readFile(join(folder, 'model.safetensors')))).toEqual(weights);
  });

  it('starts over where the server cannot resume, or the remains were of other bytes', async () => {
    const { folder } = await download();
    const partial = join(folder, `model.safetensors.${sha256.slice(0, 16)}.incomplete`);
    for (const noRanges of [true, false]) {
      hub.behaviour.noRanges = noRanges;
      await rm(join(folder, 'model.safetensors'));
      await writeFile(partial, new Uint8Array(5000).fill(9));
      await download();
      expect(new Uint8Array(await readFile(join(folder, 'model.safetensors')))).toEqual(weights);
    }
  });

  it('waits where the hub is busy', async () => {
    hub.behaviour.busyLeft = 2;
    expect((await download()).commit).toBe(COMMIT);
  });

  it('refuses bytes that do not have the hash the hub gives, and keeps none of them', async () => {
    hub.behaviour.corrupt = true;
    await expect(download()).rejects.toThrowError(/model.safetensors: .*hash/);
    const folder = join(cache, 'models--google--bit-50', COMMIT);
    expect((await readdir(folder)).filter((name) => name.startsWith('model'))).toEqual([]);
  });

  it('brings every shard that the index names', async () => {
    const tensors = [...readSafetensors(weights).tensors];
    const halves = { 'a.safetensors': tensors.slice(0, 30), 'b.safetensors': tensors.slice(30) };
    const map = Object.fromEntries(
      Object.entries(halves).flatMap(([file, half]) => half.map(([name]) => [name, file])),
    );
    hub.behaviour.repositories[ID] = {
      'config.json': config,
      'model.safetensors.index.json': new TextEncoder().encode(JSON.stringify({ weight_map: map })),
      ...Object.fromEntries(Object.entries(halves).map(([file, half]) => [file, writeSafetensors(new Map(half))])),
    };
    const source = await openSource(ID, 'main', { HF_ENDPOINT: hub.endpoint, BIT_EDGE_CACHE: cache });
    expect(source.weightFiles).toEqual(['a.safetensors', 'b.safetensors']);
    expect(source.checkpoint.weights.size).toBe(tensors.length);
  });

  it.each([
    ['a repository that is not there', 'google/none', 'main', 'google/none is not on the hub, or is private'],
    ['a revision that is not there', ID, 'v9', `${ID} has no revision "v9"`],
    ['a gated repository', 'google/gated', 'main', 'is gated'],
    ['a repository without weights', 'google/bare', 'main', 'has none of model.safetensors, '],
    ['a repository without a config', 'google/empty', 'main', 'has no config.json'],
  ])('says what is wrong with %s', async (_, id, revision, message) => {
    Object.assign(hub.behaviour.repositories, {
      'google/gated': { 'config.json': config },
      'google/bare': { 'config.json': config },
      'google/empty': {},
    });
    hub.behaviour.isGated.add('google/gated');
    await expect(download(revision, null, id)).rejects.toThrowError(message);
  });

  it('gives up on a hub that stays busy', async () => {
    hub.behaviour.busyLeft = 1000;
    await expect(download()).rejects.toThrowError('HTTP 503; gave up after 5 attempts');
  });
});

describe('openSource', () => {
  it.each([
    ['nowhere/at/all', 'no such file or folder'],
    ['test/fixtures/bit', 'there is nothing'],
  ])('says what is wrong with %s', async (source, message) => {
    await expect(openSource(source, null, {})).rejects.toThrowError(message);
  });

  it('reads folders and files on disk, and hashes the weights', async () => {
    const folder = await openSource('test/fixtures/bit/default', null, {});
    expect(folder).toMatchObject({
      kind: 'huggingface',
      suggestedName: 'default',
      reference: 'test/fixtures/bit/default',
    });
    expect(folder.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await openSource('test/fixtures/formats/google.npz', null, {})).toMatchObject({
      kind: 'google',
      suggestedName: 'google',
    });
    await expect(openSource('test/fixtures/bit/default', 'main', {})).rejects.toThrowError('--revision');
  });
});
