import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assembleVersion, encodeJson } from '../../../../model-store/build/assemble.ts';
import { buildBitGraph } from '../../../../model-store/build/graph/build.ts';
import { outputNames } from '../../../../model-store/build/graph/network.ts';
import {
  float32Tensor,
  readSafetensors,
  tensorToFloat32,
  writeSafetensors,
} from '../../../../model-store/safetensors.ts';
import { readManifestFile } from '../../../../scripts/cli/files/manifest-file.ts';
import { readBytes } from '../../../../scripts/cli/files/read-file.ts';
import { openVariant } from '../../../../scripts/cli/onnx/variant-runner.ts';
import { openSource } from '../../../../scripts/cli/sources/open-source.ts';
import { compareTensors } from '../../../../scripts/cli/verify/compare.ts';
import { verifyVariant } from '../../../../scripts/cli/verify/verify-variant.ts';
import { bitEdge } from '../../../support/command-line.ts';

/** The project's aim; what is measured is about 1e-5. */
const TOLERANCE = 5e-5;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-verify-'));
});
afterAll(async () => rm(root, { recursive: true, force: true }));

/** Writes the fp32 version of a checkpoint, as import does but for the report. */
async function writeVersion(source: string, folder: string): Promise<void> {
  const { checkpoint, preprocessor, kind, reference, sha256 } = await openSource(source, null, {});
  const outputs = outputNames(checkpoint.config);
  const { manifest, files } = await assembleVersion({
    name: 'network',
    version: '1',
    createdAt: '2026-01-01T00:00:00Z',
    source: { kind, reference, sha256 },
    checkpoint,
    preprocessor,
    imageSize: { height: 224, width: 224 },
    variants: {
      fp32: {
        graph: buildBitGraph(checkpoint, { outputs, inputSize: null, externalWeights: 'weights.bin' }),
        wasmHeapBytes: null,
      },
    },
    defaultVariant: 'fp32',
    report: null,
    attachments: new Map(),
  });
  for (const [path, bytes] of files) await writeFile(join(folder, path), bytes);
  await writeFile(join(folder, 'manifest.json'), encodeJson(manifest));
}

async function verify(source: string, io: string) {
  const folder = await mkdtemp(join(root, 'version-'));
  await writeVersion(source, folder);
  const open = await openVariant(folder, (await readManifestFile(folder)).manifest, 'fp32');
  return verifyVariant(open, readSafetensors(await readBytes(io)).tensors, io);
}

const networks = (folder: string) =>
  readdirSync(`test/fixtures/${folder}`).map((name) => `test/fixtures/${folder}/${name}`);

describe('an imported network has the outputs of Hugging Face', () => {
  it.each([...networks('networks'), ...networks('bit')])('%s', async (folder) => {
    const result = await verify(folder, `${folder}/io.safetensors`);
    expect(result).toMatchObject({ not_in_variant: [], not_run: [] });
    expect(Object.keys(result.tensors).length).toBeGreaterThanOrEqual(8);
    expect(result.worst.relative, result.worst.tensor).toBeLessThan(TOLERANCE);
  });

  it.each(['timm.safetensors', 'google.npz'])('test/fixtures/formats/%s', async (file) => {
    const result = await verify(`test/fixtures/formats/${file}`, 'test/fixtures/formats/io.safetensors');
    expect(Object.keys(result.tensors).sort()).toEqual(['logits', 'pooler_output']);
    expect(result.worst.relative).toBeLessThan(TOLERANCE);
  });
});

describe('bit-edge verify', () => {
  const io = 'test/fixtures/bit/default/io.safetensors';
  let folder: string;
  beforeAll(async () => {
    folder = join(root, 'default');
    await mkdir(folder);
    await writeVersion('test/fixtures/bit/default', folder);
  });

  it('prints every tensor and passes', async () => {
    const { exitCode, stdout } = await bitEdge(['verify', folder, '--against', io]);
    expect(exitCode).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ variant: 'fp32', tolerance: 1e-4, passed: true });
    expect(result.tensors['logits.65x49']).toMatchObject({ shape: [2, 7] });
    expect(Object.keys(result.tensors)).toHaveLength(16);
  });

  it('fails where a reference differs, and says where', async () => {
    const tensors = new Map(readSafetensors(await readBytes(io)).tensors);
    const logits = tensorToFloat32(tensors.get('logits.64x64')!).map((value, i) => (i === 3 ? value + 1 : value));
    tensors.set('logits.64x64', float32Tensor([2, 7], logits));
    const spoiled = join(root, 'spoiled.safetensors');
    await writeFile(spoiled, writeSafetensors(tensors));
    const { exitCode, stdout } = await bitEdge(['verify', folder, '--against', spoiled]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ passed: false, worst: { tensor: 'logits.64x64' } });
    expect(JSON.parse(stdout).tensors['logits.64x64'].max_abs).toBeCloseTo(1, 3);
  });

  it.each([
    [['verify'], 2, 'one folder'],
    [['verify', 'x'], 2, '--against'],
    [['verify', 'x', '--against', 'y', '--variant', 'fp64'], 2, 'fp64'],
    [['verify', '/nowhere', '--against', io], 1, '/nowhere/manifest.json'],
  ])('explains %j', async (args, code, message) => {
    const result = await bitEdge(args);
    expect(result.exitCode).toBe(code);
    expect(result.stderr).toContain(message);
  });

  it('says which variants there are', async () => {
    const { exitCode, stderr } = await bitEdge(['verify', folder, '--against', io, '--variant', 'int8']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('no variant "int8"; there is fp32');
  });
});

describe('compareTensors', () => {
  const compare = (actual: number[], reference: number[]) =>
    compareTensors(Float32Array.from(actual), Float32Array.from(reference), [reference.length]);

  it('gives the largest difference, also over the largest magnitude', () => {
    expect(compare([1, -3, 2], [1, -4, 2])).toEqual({ shape: [3], max_abs: 1, relative: 0.25, magnitude: 4 });
  });

  it('is exact where nothing differs, zeros included', () => {
    expect(compare([0, 0], [0, 0])).toMatchObject({ max_abs: 0, relative: 0 });
  });

  it('is infinitely far where a value is missing', () => {
    expect(compare([Number.NaN, 1], [1, 1]).max_abs).toBe(Number.POSITIVE_INFINITY);
    expect(compare([1], [0]).relative).toBe(Number.POSITIVE_INFINITY);
  });
});
