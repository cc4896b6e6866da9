/** `bit-edge head` as a user runs it: train, eval, export and import on drawn pictures, without a server. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeOnnxModel } from '../../../../../model-store/onnx/decode.ts';
import { readSafetensors, writeSafetensors } from '../../../../../model-store/safetensors.ts';
import { run } from '../../../../../scripts/cli/commands/head.ts';
import { drawFruit, FRUIT } from '../../../../../scripts/demo/draw-fruit.ts';

let root: string;
let printed = '';

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-head-'));
  for (const [folder, from, count] of [
    ['taught', 0, 4],
    ['new', 10, 3],
  ] as const) {
    for (const fruit of FRUIT) {
      await mkdir(join(root, folder, fruit), { recursive: true });
      for (let i = from; i < from + count; i++) {
        await writeFile(join(root, folder, fruit, `${i}.png`), drawFruit(fruit, i));
      }
    }
  }
  await head('train', join(root, 'taught'), '--name', 'fruit', '--out', join(root, 'fruit'), '--unknown', '0.05');
}, 120_000);
afterAll(() => rm(root, { recursive: true }));
beforeEach(() => {
  printed = '';
});

async function head(...args: string[]): Promise<number> {
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    }),
    vi.spyOn(process.stderr, 'write').mockReturnValue(true),
  ];
  try {
    return await run(args);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

async function evaluated(folder: string): Promise<{ accuracy: { count: number; of: number }; wrong: object[] }> {
  printed = '';
  expect(await head('eval', folder, join(root, 'new'), '--json')).toBe(0);
  return JSON.parse(printed) as Awaited<ReturnType<typeof evaluated>>;
}

const TESTS = 3 * FRUIT.length;

describe('head train', () => {
  it('writes a head and its report, the same bytes again, and measures it on other pictures', async () => {
    const again = join(root, 'again');
    const args = ['--name', 'fruit', '--out', again, '--unknown', '0.05', '--test', join(root, 'new'), '--json'];
    expect(await head('train', join(root, 'taught'), ...args)).toBe(0);
    const { report, test } = JSON.parse(printed) as { report: { examples: number }; test: { accuracy: object } };
    expect(report.examples).toBe(4 * FRUIT.length);
    expect(test.accuracy).toMatchObject({ of: TESTS });
    for (const file of ['head.safetensors', 'report.json', 'report.md', 'report.svg']) {
      expect(await readFile(join(again, file)), file).toEqual(await readFile(join(root, 'fruit', file)));
    }
    expect(await readFile(join(again, 'report.md'), 'utf8')).toContain('by leaving');
  });

  it.each([
    [['--method', 'magic'], '--method magic'],
    [['--unknown', '2'], '--unknown is 2'],
    [['--features', 'none at all'], '--features'],
  ])('refuses %s', async (args) => {
    expect(await head('train', join(root, 'taught'), '--name', 'x', '--out', join(root, 'x'), ...args)).toBe(2);
  });
});

it('head eval says how many new pictures are told apart, and which are not', async () => {
  const { accuracy, wrong } = await evaluated(join(root, 'fruit'));
  expect(accuracy.count).toBeGreaterThan(TESTS / 2);
  expect(wrong).toHaveLength(TESTS - accuracy.count);
});

it('head export writes one file, with the labels beside it', async () => {
  const out = join(root, 'fruit.onnx');
  expect(await head('export', join(root, 'fruit'), out)).toBe(0);
  const { outputs } = decodeOnnxModel(new Uint8Array(await readFile(out)), new Map());
  expect(outputs.map(({ name }) => name)).toContain('logits');
  expect(JSON.parse(await readFile(`${out}.labels.json`, 'utf8'))).toEqual([...[...FRUIT].sort(), 'unknown']);
});

it('head import makes a head of a linear layer that answers as the one it came from', async () => {
  await head('train', join(root, 'taught'), '--name', 'plain', '--out', join(root, 'plain'));
  const file = join(root, 'plain/head.safetensors');
  const { tensors } = readSafetensors(new Uint8Array(await readFile(file)), file);
  const layer = join(root, 'layer.safetensors');
  const renamed = new Map([
    ['coef_', tensors.get('weight')!],
    ['intercept_', tensors.get('bias')!],
  ]);
  await writeFile(layer, writeSafetensors(renamed, {}));
  const out = join(root, 'imported');
  const classes = [...FRUIT].sort().join(',');
  expect(await head('import', layer, '--name', 'imported', '--classes', classes, '--out', out)).toBe(0);
  expect(await evaluated(out)).toEqual(await evaluated(join(root, 'plain')));
  expect(await head('import', layer, '--name', 'imported', '--out', out)).toBe(2);
});
