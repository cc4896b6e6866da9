/** Damaged pickles of torch: weights or a typed error, never anything else, and never memory that the file does not pay for. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readTorchWeights } from '../../model-store/build/checkpoint/torch/torch-weights.ts';
import { memoryFile } from '../../model-store/checkpoint-directory.ts';
import { ModelError } from '../../worker/errors.ts';
import { mutateBytes, splice } from './mutators/bytes.ts';
import { Random } from './random.ts';

const INPUTS = 50_000;
const FOLDER = new URL('../fixtures/checkpoint/torch/', import.meta.url);

/** Opcodes and arguments that mean something, to be put where they mean something else. */
const PIECES = [
  'ctorch._utils\n_rebuild_tensor_v2\n',
  'ctorch\nFloatStorage\n',
  'ccollections\nOrderedDict\n',
  'cos\nsystem\n',
  '(',
  't',
  'R',
  'Q',
  'u',
  's',
  'e',
  'a',
  '}',
  ']',
  'N',
  '0',
  '1',
  '2',
  'b',
  '\x85',
  '\x86',
  '\x87',
  '\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f',
  'J\xff\xff\xff\x7f',
  'h\x00',
  'q\x00',
].map((text) => Uint8Array.from(text, (character) => character.charCodeAt(0)));

/** Files whose damage a CRC does not hide: the old form, an archive without CRCs, and the hostile ones. */
const SEEDS = ['legacy.bin', 'without-crc.bin', 'views-legacy.bin']
  .concat(readdirSync(new URL('hostile/', FOLDER)).map((name) => `hostile/${name}`))
  .map((path) => new Uint8Array(readFileSync(new URL(path, FOLDER))))
  .filter((bytes) => bytes.length < 50_000);

function damage(random: Random, bytes: Uint8Array): Uint8Array {
  if (random.chance(0.3)) return mutateBytes(random, bytes, random.pick(SEEDS));
  // The pickle is at the beginning of both forms.
  let damaged = bytes;
  for (let i = 1 << random.below(4); i > 0; i--) {
    const at = random.below(Math.min(bytes.length, 6000));
    if (random.chance(0.5)) damaged = splice(damaged, at, random.below(3), random.pick(PIECES));
    else {
      damaged = damaged.slice();
      damaged[at % damaged.length] = random.chance(0.5) ? random.below(256) : random.border(8, damaged[at] ?? 0);
    }
  }
  return damaged;
}

it('gives weights or a typed error for every damaged file', async () => {
  const random = new Random(20261128);
  let whole = 0;
  const messages = new Set<string>();
  for (let index = 0; index < INPUTS; index++) {
    const bytes = damage(random, random.pick(SEEDS));
    try {
      const { tensors } = await readTorchWeights(memoryFile('a.bin', bytes));
      for (const { shape, read } of tensors.values()) {
        const data = await read();
        expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
      }
      whole++;
    } catch (error) {
      if (!(error instanceof ModelError)) throw new Error(`input ${index}`, { cause: error });
      expect(error.code).toBe('invalid_checkpoint');
      expect(error.message.length).toBeLessThan(1000);
      messages.add(error.message.replace(/\d+/g, '#').slice(0, 60));
    }
  }
  // Worth something only where some files survive, and the others end in many ways.
  expect(whole).toBeGreaterThan(INPUTS / 100);
  expect(messages.size).toBeGreaterThan(50);
}, 120_000);
