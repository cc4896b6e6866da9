/** The int8 graph, in the worker's runtime, agrees with the fp32 graph. */
import { readFile } from 'node:fs/promises';
import baboonImageUri from 'baboon-image-uri';
import { describe, expect, test, vi } from 'vitest';
import type { Checkpoint } from '../../../../../model-store/build/checkpoint/checkpoint.ts';
import { readHuggingFace } from '../../../../../model-store/build/checkpoint/huggingface.ts';
import { buildBitGraph } from '../../../../../model-store/build/graph/build.ts';
import { buildInt8Graph } from '../../../../../model-store/build/quantize/build-int8.ts';
import { parseCalibration } from '../../../../../model-store/build/quantize/calibration.ts';
import { estimateCalibration } from '../../../../../model-store/build/quantize/estimate-calibration.ts';
import { memoryDirectory } from '../../../../../model-store/checkpoint-directory.ts';
import { decodeOnnxModel } from '../../../../../model-store/onnx/decode.ts';
import { calibrate } from '../../../../../scripts/cli/calibrate.ts';
import { decodeImage } from '../../../../../worker/imaging/decode.ts';
import { fixtureCheckpoint, fixtureTensors, relativeDifference, runAsWorker, runGraph } from '../graph/fixture.ts';

/** For slow or busy machines: each of these takes a second or two. */
vi.setConfig({ testTimeout: 60_000 });

const SIZE = { height: 64, width: 64 };
const OPTIONS = { inputSize: SIZE, externalWeights: 'weights.bin', pixelGrid: null } as const;
const MODEL = new URL('../../../../../model-store/models/bit-tiny-200/', import.meta.url);

async function defaultModel(): Promise<{ checkpoint: Checkpoint; calibration: ReturnType<typeof parseCalibration> }> {
  const read = async (name: string): Promise<Uint8Array> => new Uint8Array(await readFile(new URL(name, MODEL)));
  const files = { 'config.json': await read('config.json'), 'model.safetensors': await read('model.safetensors') };
  const calibration = parseCalibration(JSON.parse(await readFile(new URL('calibration.json', MODEL), 'utf8')));
  return { checkpoint: await readHuggingFace(memoryDirectory(files)), calibration };
}

/** 64x64 windows of a photograph, one in each of 6 x 6 places: [36, 3, 64, 64], from -1 to 1. */
async function photoWindows(): Promise<{ shape: number[]; data: Float32Array }> {
  const base64 = baboonImageUri.slice(baboonImageUri.indexOf(',') + 1);
  const image = await decodeImage(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  const count = 36;
  const data = new Float32Array(count * 3 * 64 * 64);
  for (let window = 0; window < count; window++) {
    const left = Math.floor(((image.width - 64) * (window % 6)) / 5);
    const top = Math.floor(((image.height - 64) * Math.floor(window / 6)) / 5);
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < 64; y++) {
        for (let x = 0; x < 64; x++) {
          const sample = image.data[((top + y) * image.width + left + x) * 3 + channel]!;
          data[((window * 3 + channel) * 64 + y) * 64 + x] = sample / 127.5 - 1;
        }
      }
    }
  }
  return { shape: [count, 3, 64, 64], data };
}

/** Mean absolute difference over mean magnitude. */
function meanError(actual: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let magnitude = 0;
  for (const [index, value] of expected.entries()) {
    difference += Math.abs(actual[index]! - value);
    magnitude += Math.abs(value);
  }
  return difference / magnitude;
}

function argmax(values: Float32Array): number {
  return values.indexOf(Math.max(...values));
}

describe('the default model', () => {
  test.each([
    ['calibrated', false],
    ['without any picture', true],
  ])('as int8, %s, answers as fp32 does on parts of a photograph', async (_, estimated) => {
    const { checkpoint, calibration: calibrated } = await defaultModel();
    const halves = { rescaleFactor: 1 / 255, normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } };
    const calibration = estimated ? estimateCalibration(checkpoint, SIZE, halves) : calibrated;
    const images = await photoWindows();
    const expected = await runGraph(buildBitGraph(checkpoint, OPTIONS), images);
    const actual = await runAsWorker(
      buildInt8Graph(checkpoint, calibration, { ...OPTIONS, pixelGrid: { step: 2 / 255, offset: -1 } }),
      images,
    );
    const logits = expected.get('logits')!.data;
    expect(meanError(actual.get('logits')!.data, logits)).toBeLessThan(0.03);
    expect(meanError(actual.get('pooler_output')!.data, expected.get('pooler_output')!.data)).toBeLessThan(0.05);
    let agreeing = 0;
    for (let i = 0; i < 36; i++) {
      const row = (all: Float32Array): Float32Array => all.subarray(i * 200, (i + 1) * 200);
      if (argmax(row(actual.get('logits')!.data)) === argmax(row(logits))) agreeing++;
    }
    expect(agreeing).toBeGreaterThanOrEqual(34);
  });

  test('gives the same bytes every time, with every weight of the layers in 8 bits', async () => {
    const { checkpoint, calibration } = await defaultModel();
    const first = buildInt8Graph(checkpoint, calibration, OPTIONS);
    const second = buildInt8Graph(checkpoint, calibration, OPTIONS);
    expect(Buffer.compare(second.model, first.model)).toBe(0);
    expect(Buffer.compare(second.weights!, first.weights!)).toBe(0);
    expect(first.weights!.byteLength).toBeLessThan(first.parameters * 1.05);
    expect(first.layers.every(({ precision }) => precision === 'int8')).toBe(true);
  });
});

describe.each(['default', 'same-dynamic', 'bottleneck', 'stride16', 'width2-gray', 'features-only'])(
  'network %s, calibrated on its own images, and without any',
  (network) => {
    test.each(['relu', 'gelu', 'silu'] as const)('agrees as int8, with %s', async (hiddenAct) => {
      const loaded = await fixtureCheckpoint(network);
      const checkpoint: Checkpoint = { ...loaded, config: { ...loaded.config, hiddenAct } };
      const images = (await fixtureTensors(`bit/${network}/io.safetensors`)).get('pixel_values.64x64')!;
      const bytes = images.data.length / images.shape[0]!;
      const calibrated = await calibrate(
        checkpoint,
        SIZE,
        Array.from({ length: images.shape[0]! }, (_, i) => images.data.slice(i * bytes, (i + 1) * bytes)),
      );
      const options = { ...OPTIONS, outputs: ['pooler_output', 'last_hidden_state', 'stage1', 'stem'] };
      const expected = await runGraph(buildBitGraph(checkpoint, options), images);
      // These images are noise of deviation 1, which reaches further than pixels do.
      const noise = { rescaleFactor: 1 / 255, normalize: { mean: [0.5, 0.5, 0.5], std: [0.125, 0.125, 0.125] } };
      const cases = [
        [calibrated, 0.1],
        [estimateCalibration(checkpoint, SIZE, noise), 0.2],
      ] as const;
      for (const [calibration, limit] of cases) {
        expect(Object.keys(calibration.sites).toSorted()).toEqual(Object.keys(calibrated.sites).toSorted());
        const actual = await runAsWorker(buildInt8Graph(checkpoint, calibration, options), images);
        for (const [output, { data, shape }] of expected) {
          expect(actual.get(output)!.shape).toEqual(shape);
          // Random networks of a few channels amplify rounding several times more than trained ones; a wrong scale, zero
          // point or padding gives errors near 1.
          expect(meanError(actual.get(output)!.data, data), output).toBeLessThan(limit);
        }
      }
    });
  },
);

test('each image of a batch has the answer that it has alone', async () => {
  const { checkpoint, calibration } = await defaultModel();
  const graph = buildInt8Graph(checkpoint, calibration, OPTIONS);
  const { data } = await photoWindows();
  const bytes = 3 * 64 * 64;
  const batch = await runAsWorker(graph, { shape: [3, 3, 64, 64], data: data.slice(0, 3 * bytes) });
  const alone = await runAsWorker(graph, { shape: [1, 3, 64, 64], data: data.slice(bytes, 2 * bytes) });
  expect(alone.get('logits')!.data).toEqual(batch.get('logits')!.data.slice(200, 400));
});

test('layers that are named stay in float32, and the report says so', async () => {
  const { checkpoint, calibration } = await defaultModel();
  const floatLayers = new Set(['bit.embedder.convolution', 'classifier.1']);
  const { model, layers } = buildInt8Graph(checkpoint, calibration, { ...OPTIONS, floatLayers });
  const { nodes } = decodeOnnxModel(model, new Map([['weights.bin', new Uint8Array(1 << 23)]]));
  expect(nodes.filter(({ opType }) => opType === 'Conv').map(({ name }) => name)).toEqual(['embedder.convolution']);
  expect(nodes.some(({ opType }) => opType === 'Gemm')).toBe(true);
  expect(layers.filter(({ precision }) => precision === 'float32').map(({ name }) => name)).toEqual([...floatLayers]);
});

test.each(['default', 'bottleneck'])('network %s with every layer in float32 is the fp32 network', async (network) => {
  const checkpoint = await fixtureCheckpoint(network);
  const images = (await fixtureTensors(`bit/${network}/io.safetensors`)).get('pixel_values.64x64')!;
  const calibration = await calibrate(checkpoint, SIZE, [images.data.slice(0, 3 * 64 * 64)]);
  const { layers } = buildInt8Graph(checkpoint, calibration, OPTIONS);
  const floatLayers = new Set(layers.map(({ name }) => name));
  const expected = await runGraph(buildBitGraph(checkpoint, OPTIONS), images);
  const actual = await runAsWorker(buildInt8Graph(checkpoint, calibration, { ...OPTIONS, floatLayers }), images);
  for (const [output, { data }] of expected) {
    expect(relativeDifference(actual.get(output)!.data, data), output).toBeLessThan(1e-4);
  }
});

test('a layer whose input loses too much as 8 bits stays in float32 by itself', async () => {
  const { checkpoint, calibration } = await defaultModel();
  const name = 's2.0.norm3.activation';
  const sites = { ...calibration.sites, [name]: { ...calibration.sites[name]!, relative_error: 0.2 } };
  const { layers } = buildInt8Graph(checkpoint, { ...calibration, sites }, OPTIONS);
  const float = layers.filter(({ precision }) => precision === 'float32');
  expect(float).toMatchObject([{ name: 'bit.encoder.stages.2.layers.0.conv3', inputError: 0.2 }]);
});

test('a calibration of another network is refused by the name of what it lacks', async () => {
  const { checkpoint, calibration } = await defaultModel();
  const sites = { ...calibration.sites };
  delete sites['s1.0.norm2.activation'];
  const build = () => buildInt8Graph(checkpoint, { ...calibration, sites }, OPTIONS);
  expect(build).toThrow(/no statistics of "s1.0.norm2.activation"/);
});
