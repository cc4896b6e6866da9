/**
 * A fixed-seed run of every format, from the project's own fixtures alone: the same inputs on every machine.
 * `npm run fuzz` does the same with more inputs, other seeds and the corpora.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ScaleDenominator } from '../../worker/imaging/image.ts';
import { type Choices, ContractError, chooseDecoding, exercise } from './exercise.ts';
import { makeInput, randomOf } from './inputs.ts';
import { minimize } from './minimize.ts';
import { runFuzz } from './run.ts';
import { FUZZ_FORMATS, loadSeeds } from './seeds.ts';

const SEED = 20261123;
const INPUTS = 1500;

/** A watchdog in the run ends an input that hangs; this only has to be longer than that. */
const TIMEOUT_MS = 120_000;

it.each(FUZZ_FORMATS)(
  'answers every mutated %s with rows or a typed error, in time and within the estimated memory',
  async (format) => {
    const report = await runFuzz({ format, inputs: INPUTS, seed: SEED, corpora: false });
    const failures = report.failures.map(({ kind, index, message }) => ({ kind, index, message }));
    expect(failures).toEqual([]);
    expect(report.inputs).toBe(INPUTS);
    // The mutations are worth something only where some inputs survive them and some do not.
    expect(report.decoded).toBeGreaterThan(INPUTS * 0.05);
    expect(report.refused.corrupt_image).toBeGreaterThan(0);
    expect(report.refused.truncated_image).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

const CRASHERS = new URL('../fixtures/fuzz/', import.meta.url);

describe.runIf(existsSync(CRASHERS))('inputs that once broke a decoder', () => {
  const names = existsSync(CRASHERS) ? readdirSync(CRASHERS) : [];
  it.each(names)('%s', async (name) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, CRASHERS)));
    const denominators: readonly ScaleDenominator[] = [1, 2, 4, 8];
    for (const scaleDenominator of denominators) {
      for (const allowTruncated of [false, true]) {
        for (const preprocess of [false, true]) {
          const choices: Choices = {
            ...{ scaleDenominator, allowTruncated, preprocess, fullLimits: true },
            ...{ exact: scaleDenominator === 1, resample: 3, sizePx: 24, cropPx: 16 },
          };
          await expect(exercise(bytes, choices)).resolves.toHaveProperty('refused');
        }
      }
    }
  });
});

describe('the harness', () => {
  it('makes the same input from the same seed and index, and others from others', () => {
    const seeds = loadSeeds('png', false);
    const input = (seed: number, index: number): Uint8Array => makeInput(randomOf(seed, index), 'png', seeds);
    expect(input(3, 14)).toEqual(input(3, 14));
    expect(input(3, 14)).not.toEqual(input(3, 15));
    expect(input(3, 14)).not.toEqual(input(4, 14));
  });

  it('lets through what is not a typed error', async () => {
    const broken = new Proxy(new Uint8Array(8), {
      get() {
        throw new RangeError('not ours');
      },
    });
    await expect(exercise(broken, chooseDecoding(randomOf(1, 1)))).rejects.toThrow(RangeError);
    expect(new ContractError('x')).not.toHaveProperty('code');
  });

  it('cuts an input down to the bytes that make it fail', async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i === 333 ? 7 : i === 700 ? 9 : 0));
    const small = await minimize(bytes, async (candidate) => candidate.includes(7) && candidate.includes(9));
    expect([...small]).toEqual([7, 9]);
  });
});
