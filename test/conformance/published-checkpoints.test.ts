/**
 * Every published BiT: timm's 15 checkpoints (scripts/goldens/published_bit.py) and Google's 15, in their exact names and shapes.
 * Small ones are read in full; of the widest, whose elements take gigabytes, names and shapes.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type FoundCheckpoint, readCheckpoint } from '../../model-store/build/checkpoint/read-checkpoint.ts';
import {
  type CheckpointDirectory,
  memoryDirectory,
  type RandomAccessFile,
} from '../../model-store/checkpoint-directory.ts';
import { readSafetensors, writeSafetensors } from '../../model-store/safetensors.ts';
import {
  bigTransferName,
  elementsOf,
  googleLayout,
  type Network,
  timmLayout,
  zeroNpz,
  zeroSafetensors,
} from '../support/published-bit.ts';

interface TimmCheckpoint {
  readonly tensors: number;
  readonly parameters: number;
  /** Of the lines `name [shape]`. */
  readonly sha256: string;
  readonly architecture: string;
  readonly num_features: number;
  readonly pretrained_cfg: {
    readonly num_classes: number;
    readonly input_size: readonly [number, number, number];
    readonly crop_pct: number;
    readonly interpolation: string;
  };
}

const fixture = (path: string) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url));
const golden: { readonly checkpoints: Readonly<Record<string, TimmCheckpoint>> } = JSON.parse(
  fixture('checkpoint/published-bit.json').toString(),
);

const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};
const RESAMPLE: Readonly<Record<string, number>> = { bilinear: 2, bicubic: 3 };

/** Elements of the largest network that is read in full. */
const MAX_READ_ELEMENTS = 30e6;

/** On a loaded machine; in ms. */
const TIMEOUT_MS = 120_000;

/** A directory of files that need not be in memory. */
function directoryOf(...files: readonly RandomAccessFile[]): CheckpointDirectory {
  return {
    async open(name) {
      return files.find((file) => file.name === name) ?? null;
    },
    async list() {
      return files.map(({ name }) => name);
    },
  };
}

/** A file whose header is there, and whose elements may not be read. */
function headerAlone(file: RandomAccessFile, headerBytes: number): RandomAccessFile {
  return {
    ...file,
    async read(offset, length) {
      if (offset >= headerBytes) throw new Error('the elements were asked for');
      return file.read(offset, length);
    },
  };
}

async function safetensorsHeaderEnd(file: RandomAccessFile): Promise<number> {
  const prefix = await file.read(0, 8);
  return 8 + Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
}

function jsonFile(name: string, value: unknown): RandomAccessFile {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    async close() {},
  };
}

function expectNetwork({ checkpoint }: FoundCheckpoint, { depth, width, classes }: Network): void {
  expect(checkpoint.config).toMatchObject({
    numChannels: 3,
    embeddingSize: 64 * width,
    hiddenSizes: [256, 512, 1024, 2048].map((size) => size * width),
    depths: DEPTHS[depth],
    layerType: 'preactivation',
    numGroups: 32,
    numLabels: classes,
    globalPadding: null,
  });
}

describe("timm's checkpoints", { timeout: TIMEOUT_MS }, () => {
  it('are 15', () => {
    expect(Object.keys(golden.checkpoints)).toHaveLength(15);
  });

  it.each(Object.entries(golden.checkpoints))('%s', async (name, facts) => {
    const [, depth, width] = /^resnetv2_(\d+)x(\d)_bit\./.exec(name)!.map(Number) as [number, number, number];
    const { num_classes: classes, input_size: inputSize, crop_pct: cropPct, interpolation } = facts.pretrained_cfg;
    const network = { depth, width, classes };
    const layout = timmLayout(network);
    const lines = layout.map(([tensor, shape]) => `${tensor} ${JSON.stringify(shape)}\n`).join('');
    expect(createHash('sha256').update(lines).digest('hex')).toBe(facts.sha256);
    expect(layout.reduce((sum, [, shape]) => sum + elementsOf(shape), 0)).toBe(facts.parameters);

    const { architecture, num_features, pretrained_cfg } = facts;
    const config = { architecture, num_classes: classes, num_features, global_pool: 'avg', pretrained_cfg };
    const weights = zeroSafetensors('model.safetensors', layout);
    const json = jsonFile('config.json', config);
    if (facts.parameters > MAX_READ_ELEMENTS) {
      const header = headerAlone(weights, await safetensorsHeaderEnd(weights));
      // Names and shapes are checked before the first element is read.
      await expect(readCheckpoint(directoryOf(json, header), null)).rejects.toThrow('the elements were asked for');
      return;
    }
    const found = await readCheckpoint(directoryOf(json, weights), null);
    expect(found).toMatchObject({ kind: 'timm', preprocessorSource: expect.stringContaining('config.json') });
    expectNetwork(found, network);
    const edge = inputSize[1];
    expect(found.preprocessor).toMatchObject({
      size: { shortest_edge: Math.floor(edge / cropPct) },
      crop_size: { height: edge, width: edge },
      resample: RESAMPLE[interpolation],
    });
  });
});

const GOOGLE = ['S', 'M', 'M-ILSVRC2012'].flatMap((kind) =>
  [
    [50, 1],
    [50, 3],
    [101, 1],
    [101, 3],
    [152, 4],
  ].map(([depth, width]) => {
    const suffix = kind === 'M-ILSVRC2012' ? '-ILSVRC2012' : '';
    const name = `BiT-${kind.charAt(0)}-R${depth}x${width}${suffix}.npz`;
    return { name, network: { depth: depth!, width: width!, classes: kind === 'M' ? 21_843 : 1000 } };
  }),
);

describe("Google's checkpoints", { timeout: TIMEOUT_MS }, () => {
  it.each(GOOGLE)('$name', async ({ name, network }) => {
    const layout = googleLayout(network);
    const isWhole = layout.reduce((sum, [, shape]) => sum + elementsOf(shape), 0) < MAX_READ_ELEMENTS;
    const read = readCheckpoint(directoryOf(zeroNpz(name, layout, isWhole)), null);
    if (!isWhole) {
      // Names and shapes are checked before the first array is read, whose checksum is wrong here.
      await expect(read).rejects.toThrow('root_block/standardized_conv2d/kernel.npy" is damaged: CRC-32');
      return;
    }
    const found = await read;
    expect(found).toMatchObject({ kind: 'google', weightFiles: [name] });
    expectNetwork(found, network);
    // Classes have no names in the file: the report says so.
    expect(found.origins.find(({ field }) => field === 'labels')).toMatchObject({ assumed: true });
  });

  it('that lacks an array, or has one of another shape, is refused by the name that Google gives it', async () => {
    const layout = googleLayout({ depth: 50, width: 1, classes: 1000 });
    const array = 'resnet/block2/unit03/b/standardized_conv2d/kernel';
    const without = layout.filter(([name]) => name !== array);
    await expect(readCheckpoint(directoryOf(zeroNpz('a.npz', without, false)), null)).rejects.toThrow(
      'block2/unit03/b/standardized_conv2d/kernel" is missing; expected [128,128,3,3]',
    );
    const wider = layout.map(([name, shape]) => [name, name === array ? [3, 3, 128, 64] : shape] as const);
    await expect(readCheckpoint(directoryOf(zeroNpz('a.npz', wider, false)), null)).rejects.toThrow(
      `${array}" has shape [64,128,3,3]`,
    );
  });
});

describe("big_transfer's own PyTorch names", () => {
  it('are read as the same network as timm has it, also within `model` and under DataParallel', async () => {
    const { tensors } = readSafetensors(new Uint8Array(fixture('formats/timm.safetensors')));
    const renamed = new Map([...tensors].map(([name, tensor]) => [`module.${bigTransferName(name)}`, tensor]));
    const found = await readCheckpoint(memoryDirectory({ 'bit.safetensors': writeSafetensors(renamed) }), null);
    const timm = await readCheckpoint(
      memoryDirectory({ 'timm.safetensors': fixture('formats/timm.safetensors') }),
      null,
    );
    expect(found.kind).toBe('google');
    expect(found.notes).toContain('names without the prefix "module."');
    expect(found.checkpoint.config).toEqual(timm.checkpoint.config);
    expect(new Map([...found.checkpoint.weights].sort())).toEqual(new Map([...timm.checkpoint.weights].sort()));
  });

  it('of a missing tensor are in its refusal', async () => {
    const layout = timmLayout({ depth: 50, width: 1, classes: 10 })
      .map(([name, shape]) => [bigTransferName(name), shape] as const)
      .filter(([name]) => name !== 'body.block3.unit02.gn2.weight');
    await expect(readCheckpoint(directoryOf(zeroSafetensors('bit.safetensors', layout)), null)).rejects.toThrow(
      'tensor "body.block3.unit02.gn2.weight" is missing; expected [256]',
    );
  });
});
