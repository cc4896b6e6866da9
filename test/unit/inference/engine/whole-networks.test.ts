/** Whole networks in the engine give the bits that onnxruntime gives on the same file. */
import { describe, expect, test, vi } from 'vitest';
import { engineSession, int8Graph, type NetworkCase, noise, runBoth } from './engine-networks.ts';

/** For slow or busy machines: each of these takes a second or two. */
vi.setConfig({ testTimeout: 60_000 });

const SQUARE = { height: 64, width: 64 };
const OUTPUTS = ['logits', 'pooler_output', 'last_hidden_state', 'stem', 'stage1', 'stage2', 'stage3', 'stage4'];

const CASES: readonly (NetworkCase & { readonly what: string })[] = [
  { what: 'the default form', network: 'default', size: SQUARE },
  { what: 'SAME padding with a dynamic pool', network: 'same-dynamic', size: SQUARE },
  { what: 'SAME padding at odd sizes', network: 'same-dynamic', size: { height: 65, width: 71 } },
  { what: 'odd sizes', network: 'default', size: { height: 67, width: 49 } },
  { what: 'output stride 16', network: 'stride16', size: SQUARE },
  { what: 'width factor and grey images', network: 'width2-gray', size: SQUARE },
  { what: 'pixels off every grid', network: 'default', size: SQUARE, pixelGrid: null },
  { what: 'a map of one position', network: 'default', size: { height: 32, width: 32 } },
];

describe('onnxruntime and the engine give the same bits', () => {
  test.each(CASES)('$what', async ({ what: _, ...options }) => {
    const graph = await int8Graph({ ...options, outputs: OUTPUTS });
    const { height, width } = options.size;
    const channels = Number(graph.inputs[0]!.shape[1]);
    const outputs = await runBoth(graph, noise(channels * height * width));
    expect([...outputs.keys()]).toEqual(OUTPUTS);
    for (const [name, [ours, theirs]] of outputs) {
      expect(ours.shape, name).toEqual(theirs.shape);
      expect(differing(ours.data, theirs.data), name).toBe(0);
    }
  });

  test('without a head', async () => {
    const graph = await int8Graph({ network: 'features-only', size: SQUARE, outputs: ['pooler_output'] });
    const [ours, theirs] = (await runBoth(graph, noise(3 * 64 * 64))).get('pooler_output')!;
    expect(differing(ours.data, theirs.data)).toBe(0);
  });

  test('for a batch, image by image', async () => {
    const graph = await int8Graph({ network: 'default', size: SQUARE, outputs: ['logits', 'stage2'] });
    for (const [name, [ours, theirs]] of await runBoth(graph, noise(3 * 3 * 64 * 64), 3)) {
      expect(ours.shape, name).toEqual(theirs.shape);
      expect(differing(ours.data, theirs.data), name).toBe(0);
    }
  });
});

describe('a session of the engine', () => {
  test('says what goes in and comes out, and gives only what is asked for', async () => {
    const session = await engineSession(
      await int8Graph({ network: 'default', size: SQUARE, outputs: ['stage1', 'logits'] }),
    );
    expect(session.inputs).toEqual([{ name: 'pixel_values', shape: ['batch', 3, 64, 64] }]);
    expect(session.outputs).toEqual([
      { name: 'stage1', shape: ['batch', 32, 16, 16] },
      { name: 'logits', shape: ['batch', 7] },
    ]);
    const feeds = new Map([
      ['pixel_values', { type: 'float32', shape: [1, 3, 64, 64], data: noise(3 * 64 * 64) } as const],
    ]);
    const both = session.run(feeds, ['logits', 'stage1']);
    expect([...both.keys()]).toEqual(['logits', 'stage1']);
    // A stage alone ends early, and what ran before leaves nothing behind.
    expect(session.run(feeds, ['stage1']).get('stage1')).toEqual(both.get('stage1'));
    expect(session.run(feeds, ['logits']).get('logits')).toEqual(both.get('logits'));
  });

  test.each([
    ['another size', [1, 3, 64, 65], 3 * 64 * 65],
    ['no batch', [3, 64, 64], 3 * 64 * 64],
    ['no image', [0, 3, 64, 64], 0],
    ['fewer values than its shape says', [1, 3, 64, 64], 3 * 64 * 64 - 1],
  ])('refuses %s, and lives on', async (_what, shape, count) => {
    const session = await engineSession(await int8Graph({ network: 'default', size: SQUARE }));
    const run = (tensorShape: number[], data: Float32Array) =>
      session.run(new Map([['pixel_values', { type: 'float32', shape: tensorShape, data }]]), ['logits']);
    expect(() => run(shape, new Float32Array(count))).toThrow(expect.objectContaining({ code: 'model_failed' }));
    expect(session.abortReason).toBeNull();
    expect(run([1, 3, 64, 64], noise(3 * 64 * 64)).get('logits')?.shape).toEqual([1, 7]);
  });

  test('refuses an output that it does not have, and everything once it is released', async () => {
    const session = await engineSession(await int8Graph({ network: 'default', size: SQUARE }));
    const feeds = new Map([
      ['pixel_values', { type: 'float32', shape: [1, 3, 64, 64], data: noise(3 * 64 * 64) } as const],
    ]);
    expect(() => session.run(feeds, ['stage9'])).toThrow(/no output "stage9"/);
    session.release();
    session.release();
    expect(session.released).toBe(true);
    expect(() => session.run(feeds, ['logits'])).toThrow(/released/);
  });
});

/** How many values differ in any bit. */
function differing(actual: ArrayBufferView, expected: Float32Array): number {
  const a = new Int32Array(actual.buffer, actual.byteOffset, actual.byteLength / 4);
  const b = new Int32Array(expected.buffer, expected.byteOffset, expected.length);
  return a.length === b.length ? a.reduce((count, bits, index) => count + (bits === b[index] ? 0 : 1), 0) : -1;
}
