/** The engine's memory: nothing that is needed at the same time overlaps, and it is as small as it can be. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { mapBorders } from '../../../../worker/inference/engine/kernel-needs.ts';
import { mapBytes, rowStride, rowsBytes } from '../../../../worker/inference/engine/layout.ts';
import { placeIntervals } from '../../../../worker/inference/engine/memory-intervals.ts';
import { type EnginePlan, planMemory } from '../../../../worker/inference/engine/memory-plan.ts';
import { type Int8Network, readBy, type ValueId, writtenBy } from '../../../../worker/inference/engine/network.ts';
import { roleBytes, tensorRoles } from '../../../../worker/inference/engine/tensor-roles.ts';
import { int8Graph, networkOf } from './engine-networks.ts';

vi.setConfig({ testTimeout: 60_000 });

interface Block {
  readonly what: string;
  readonly begin: number;
  readonly end: number;
}

describe('blocks with times', () => {
  test('that do not overlap share their place, and others do not', () => {
    const blocks = [
      { bytes: 100, from: 0, to: 1 },
      { bytes: 60, from: 1, to: 2 },
      { bytes: 100, from: 2, to: 3 },
      { bytes: 40, from: 0, to: 3 },
    ];
    const { offsets, bytes } = placeIntervals(blocks);
    expect(offsets[0]).toBe(offsets[2]);
    expect(bytes).toBe(200);
    for (const [i, a] of blocks.entries()) {
      for (const [j, b] of blocks.entries()) {
        if (i === j || a.to < b.from || b.to < a.from) continue;
        expect(offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!).toBe(true);
      }
    }
  });

  test('take what the fullest moment takes where one is within the other', () => {
    const nested = Array.from({ length: 10 }, (_, index) => ({ bytes: 8 * (index + 1), from: index, to: 20 - index }));
    expect(placeIntervals(nested).bytes).toBe(8 * 55);
  });
});

describe.each([
  ['default', { height: 64, width: 64 }],
  ['same-dynamic', { height: 65, width: 71 }],
  ['width2-gray', { height: 64, width: 64 }],
])('the plan of %s', (name, size) => {
  let network: Int8Network;
  let plan: EnginePlan;

  beforeAll(async () => {
    network = networkOf(await int8Graph({ network: name, size, outputs: ['logits', 'stage1', 'last_hidden_state'] }));
    plan = planMemory(network)!;
  });

  function blockOf(id: ValueId): Block {
    const { name: what, height, width, channels, quantization } = network.values[id]!;
    const border = mapBorders(network)[id] ?? { top: 0, left: 0, bottom: 0, right: 0 };
    const bytes =
      quantization === null
        ? rowsBytes(height * width, channels)
        : mapBytes(height, width, rowStride(channels), border);
    const begin = plan.values[id]!.address;
    return { what, begin, end: begin + bytes };
  }

  test('keeps every value from the step that makes it to the last one that reads it', () => {
    const lastUse = new Map<ValueId, number>();
    for (const [index, step] of network.steps.entries()) for (const id of readBy(step)) lastUse.set(id, index);
    for (const [index, step] of network.steps.entries()) {
      const alive = [...lastUse].filter(([id, last]) => last > index && madeBy(id) < index).map(([id]) => blockOf(id));
      const read = readBy(step).map(blockOf);
      for (const id of writtenBy(step)) {
        const written = blockOf(id);
        for (const other of alive) expectApart(written, other);
        // What is read may be written over only where the step reads each number before it writes there.
        const mayBeSame = step.kind === 'convolution' || (step.kind === 'norm' && id === step.float);
        for (const other of read) if (!(mayBeSame && other.begin === written.begin)) expectApart(written, other);
      }
      if (step.kind === 'convolution') expectApart(blockOf(step.output), blockOf(step.input));
    }
  });

  function madeBy(id: ValueId): number {
    return network.steps.findIndex((step) => writtenBy(step).includes(id));
  }

  test('keeps constants, scratch and values apart, and all of it inside', () => {
    const roles = tensorRoles(network);
    const constants = plan.tensors.flatMap((tensor, id): Block[] => {
      if (tensor === null) return [];
      return [{ what: network.tensors[id]!.name, begin: tensor.address, end: tensor.address + roleBytes(roles[id]!) }];
    });
    const values = network.values.map((_, id) => blockOf(id));
    const scratch = { what: 'scratch', begin: plan.scratch, end: plan.staging.address };
    const all = [...constants, scratch].sort((a, b) => a.begin - b.begin);
    for (const [index, block] of all.entries()) if (index > 0) expectApart(all[index - 1]!, block);
    for (const value of values) {
      expect(value.begin).toBeGreaterThanOrEqual(plan.staging.address);
      expect(value.end, value.what).toBeLessThanOrEqual(plan.bytes);
    }
    expect(plan.staging.address + plan.staging.bytes).toBeLessThanOrEqual(plan.bytes);
    expect(plan.bytes).toBe(plan.pages * 65_536);
  });

  test('adds shortcuts up in place: a convolution with a residual writes over it', () => {
    const sums = network.steps.filter((step) => step.kind === 'convolution' && step.residual !== null);
    expect(sums.length).toBeGreaterThan(3);
    for (const step of sums) {
      if (step.kind !== 'convolution') continue;
      expect(plan.values[step.output]!.address).toBe(plan.values[step.residual!]!.address);
    }
  });
});

test('a network that no memory could hold has no plan', async () => {
  const network = networkOf(await int8Graph({ network: 'default', size: { height: 64, width: 64 } }));
  const values = network.values.map((value) => ({ ...value, height: 8192, width: 8192 }));
  expect(planMemory({ ...network, values })).toBeNull();
});

function expectApart(a: Block, b: Block): void {
  expect(a.end <= b.begin || b.end <= a.begin, `${a.what} and ${b.what}`).toBe(true);
}
