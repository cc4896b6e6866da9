/**
 * Damaged networks: the engine gives a typed error when it loads them, leaves them to onnxruntime by name, or runs them to onnxruntime's
 * bits. Never anything else, and never a trap. `BIT_EDGE_NETWORKS=20000` before the command for a longer run.
 */
import { expect, test } from 'vitest';
import { decodeOnnxModel } from '../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../model-store/onnx/encode.ts';
import { ONNX_DTYPE_BYTES, type OnnxModel, type OnnxTensor } from '../../model-store/onnx/onnx-model.ts';
import { compileWasm } from '../../scripts/cli/local-model.ts';
import { AppError } from '../../worker/errors.ts';
import { startEngineSession } from '../../worker/inference/engine/engine-session.ts';
import { planMemory } from '../../worker/inference/engine/memory-plan.ts';
import { recognize } from '../../worker/inference/engine/recognize.ts';
import { int8Graph, noise } from '../unit/inference/engine/engine-networks.ts';
import { runAsWorker } from '../unit/model-store/build/graph/fixture.ts';
import { randomOf } from './inputs.ts';
import type { Random } from './random.ts';

const NETWORKS = Number(process.env.BIT_EDGE_NETWORKS ?? 1500);
const SEED = 20261128;
const FILE = 'weights.bin';
const TIMEOUT_MS = 900_000;

/** A network that takes more than this is planned and not run. */
const MAX_RUN_BYTES = 32 * 1024 * 1024;

/** Of the networks that survived, one in so many is compared with onnxruntime. */
const COMPARED_EVERY = 8;

interface Files {
  readonly model: Uint8Array;
  readonly weights: Uint8Array;
}

test(
  `of ${NETWORKS} damaged networks, none traps, and none gives another answer than onnxruntime`,
  async () => {
    const { engine } = await compileWasm();
    const graph = await int8Graph({
      network: 'default',
      size: { height: 32, width: 32 },
      outputs: ['logits', 'stage1'],
    });
    const seed: Files = { model: graph.model, weights: graph.weights! };
    const decoded = decodeOnnxModel(seed.model, new Map([[FILE, seed.weights]]));
    const counts = { refused: 0, left: 0, ran: 0, large: 0, compared: 0 };
    const data = noise(3 * 32 * 32);
    const shape = [1, 3, 32, 32];
    for (let index = 0; index < NETWORKS; index++) {
      const files = damage(randomOf(SEED, index), seed, decoded);
      try {
        const recognition = recognize(files.model, { path: FILE, bytes: files.weights.byteLength });
        if (recognition.kind === 'other') {
          counts.left++;
          continue;
        }
        const { network } = recognition;
        const plan = planMemory(network);
        if (plan === null || plan.bytes > MAX_RUN_BYTES) {
          counts.large++;
          continue;
        }
        const unfinished = startEngineSession(engine, network, plan);
        unfinished.weights.write(files.weights);
        const session = unfinished.finish();
        counts.ran++;
        const { input, outputs } = network;
        const isSameInput = input.channels === 3 && input.height === 32 && input.width === 32;
        const pixels = isSameInput ? data : noise(input.channels * input.height * input.width);
        const feedShape = isSameInput ? shape : [1, input.channels, input.height, input.width];
        const names = outputs.map(({ name }) => name);
        const ours = session.run(new Map([[input.name, { type: 'float32', shape: feedShape, data: pixels }]]), names);
        if (counts.ran % COMPARED_EVERY !== 0 || !isSameInput) continue;
        const theirs = await runAsWorker({ ...graph, ...files }, { shape, data }).catch(() => null);
        if (theirs === null) continue;
        counts.compared++;
        for (const [name, tensor] of theirs) expect(ours.get(name)?.data, `${name} of ${index}`).toEqual(tensor.data);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'model_corrupt') {
          throw new Error(`network ${index}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          });
        }
        counts.refused++;
      }
    }
    // The damage is worth something only where some networks survive it and some do not.
    expect(counts.refused).toBeGreaterThan(NETWORKS * 0.05);
    expect(counts.left).toBeGreaterThan(NETWORKS * 0.05);
    expect(counts.ran).toBeGreaterThan(NETWORKS * 0.05);
    expect(counts.compared).toBeGreaterThan(NETWORKS * 0.005);
  },
  TIMEOUT_MS,
);

/** One of many ways to damage a network; the same for the same random numbers. */
function damage(random: Random, seed: Files, decoded: OnnxModel): Files {
  const way = random.below(8);
  if (way < 2) return { ...seed, model: flipBytes(random, seed.model) };
  if (way === 2) return { ...seed, model: changeDigits(random, seed.model) };
  if (way === 3) {
    if (random.below(4) > 0) return { ...seed, weights: flipBytes(random, seed.weights) };
    return { ...seed, weights: seed.weights.slice(0, random.below(seed.weights.length)) };
  }
  const changed = way < 6 ? changeNode(random, decoded) : changeConstant(random, decoded);
  const { model, weights } = encodeOnnxModel(changed, FILE);
  return { model, weights: weights ?? new Uint8Array(0) };
}

function flipBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (let count = 1 + random.below(4); count > 0; count--) copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
}

/** Another digit in a name, or in the offset or length of a tensor. */
function changeDigits(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (let at = random.below(copy.length), left = 1 + random.below(2); left > 0; at = (at + 1) % copy.length) {
    if (copy[at]! < 0x30 || copy[at]! > 0x39) continue;
    copy[at] = 0x30 + random.below(10);
    at = random.below(copy.length);
    left--;
  }
  return copy;
}

function changeNode(random: Random, model: OnnxModel): OnnxModel {
  const nodes = [...model.nodes];
  const index = random.below(nodes.length);
  const node = nodes[index]!;
  const names = [...model.initializers.map(({ name }) => name), ...nodes.flatMap(({ outputs }) => outputs)];
  const at = random.below(node.inputs.length);
  switch (random.below(5)) {
    case 0:
      nodes.splice(index, 1);
      break;
    case 1:
      nodes.splice(random.below(nodes.length), 0, nodes.splice(index, 1)[0]!);
      break;
    case 2: {
      const attributes = Object.entries(node.attributes).map(([name, attribute]) => {
        if (attribute.kind === 'int') return [name, { ...attribute, value: random.below(4) }] as const;
        if (attribute.kind !== 'ints') return [name, attribute] as const;
        return [
          name,
          { ...attribute, value: attribute.value.map((value) => (random.below(3) ? value : random.below(9))) },
        ] as const;
      });
      nodes[index] = { ...node, attributes: Object.fromEntries(attributes) };
      break;
    }
    case 3: {
      // A constant or a value of the same sort: most others fail at once.
      const like = nodes.filter(({ opType }) => opType === node.opType);
      const other = like[random.below(like.length)]!.inputs[at] ?? names[0]!;
      nodes[index] = { ...node, inputs: node.inputs.map((name, input) => (input === at ? other : name)) };
      break;
    }
    default:
      nodes[index] = {
        ...node,
        inputs: node.inputs.map((name, input) => (input === at ? names[random.below(names.length)]! : name)),
      };
  }
  return { ...model, nodes };
}

function changeConstant(random: Random, model: OnnxModel): OnnxModel {
  const index = random.below(model.initializers.length);
  const change = (tensor: OnnxTensor): OnnxTensor => {
    if (random.below(2) === 0) {
      const data = flipBytes(random, tensor.data);
      return { ...tensor, data };
    }
    const shape = tensor.shape.map((size) => (random.below(2) ? size : Math.max(0, size + random.below(9) - 4)));
    const data = new Uint8Array(shape.reduce((product, size) => product * size, 1) * ONNX_DTYPE_BYTES[tensor.dtype]);
    data.set(tensor.data.subarray(0, data.length));
    return { ...tensor, shape, data };
  };
  return { ...model, initializers: model.initializers.map((tensor, at) => (at === index ? change(tensor) : tensor)) };
}
