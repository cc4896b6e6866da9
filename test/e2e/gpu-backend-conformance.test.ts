/**
 * The whole way of a bulk job's images, against Hugging Face transformers: encoded file, decoded and resized on our side,
 * UINT8 batches over HTTP, logits from the backend. Skips where the data or the backend's packages are not there.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sharedFolder } from '../../scripts/bench/shared-data.ts';
import { BackendClient } from '../../worker/jobs/backend-client.ts';
import { reserveInferRequest } from '../../worker/oip/infer-request.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { preprocessToRgb8 } from '../../worker/preprocess/preprocess.ts';
import { PICTURE_BYTES, SIDE_PX, writeModel } from '../support/gpu-model.ts';
import {
  BACKEND_INSTALLED,
  type BackendProcess,
  killAll,
  SKIP_REASON,
  startBackend,
  TOKEN,
  untilReady,
} from '../support/gpu-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHARED = sharedFolder();
const REFERENCE = join(SHARED, 'models/bit-tiny-200/reference.json');
const PRESENT =
  existsSync(REFERENCE) && existsSync(join(SHARED, 'tiny-imagenet')) && existsSync(join(SHARED, 'corpora/photos'));
const NO_DATA = PRESENT ? '' : ` (skipped: no data in ${SHARED})`;

const MODEL = 'bit-tiny-200';
const BATCH = 32;

interface Answer {
  readonly top5: readonly number[];
  readonly scores: readonly number[];
}

/** Softmax and the five largest, as Hugging Face's pipeline does it. */
function answerOf(logits: Float32Array): Answer {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - largest));
  const sum = powers.reduce((total, value) => total + value, 0);
  const top5 = powers
    .map((_, label) => label)
    .sort((a, b) => powers[b]! - powers[a]!)
    .slice(0, 5);
  return { top5, scores: top5.map((label) => powers[label]! / sum) };
}

describe.skipIf(!BACKEND_INSTALLED || !PRESENT)(`images through the GPU backend${SKIP_REASON}${NO_DATA}`, () => {
  let store = '';
  let backend: BackendProcess;
  let client: BackendClient;
  const reference = PRESENT ? JSON.parse(readFileSync(REFERENCE, 'utf8')) : {};

  beforeAll(async () => {
    store = await mkdtemp(join(tmpdir(), 'gpu-store-'));
    await writeModel(store, MODEL);
    backend = await startBackend({ GPU_STORE: store, GPU_MAX_BATCH: String(BATCH), GPU_THREADS: '0' });
    await untilReady(backend);
    client = new BackendClient({
      url: backend.url,
      token: TOKEN,
      fetch,
      now: () => performance.now(),
      random: Math.random,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    });
  });
  afterAll(async () => {
    killAll();
    await rm(store, { recursive: true });
  });

  async function classify(files: readonly string[]): Promise<Answer[]> {
    const folder = join(ROOT, 'model-store/models', MODEL);
    const config = parseProcessorConfig(JSON.parse(readFileSync(join(folder, 'preprocessor_config.json'), 'utf8')));
    const answers: Answer[] = [];
    for (let start = 0; start < files.length; start += BATCH) {
      const batch = files.slice(start, start + BATCH);
      const rows = batch.length;
      const fields = { parameters: { binary_data_output: true }, outputs: [{ name: 'logits' }] };
      const input = { name: 'image', datatype: 'UINT8', shape: [rows, SIDE_PX, SIDE_PX, 3] } as const;
      const { message, data } = reserveInferRequest(fields, [input]);
      for (const [row, file] of batch.entries()) {
        const { rgb8 } = await preprocessToRgb8(new Uint8Array(readFileSync(file)), config, { exact: true });
        data[0]!.set(rgb8, row * PICTURE_BYTES);
      }
      const { outputs } = await client.infer({ model: MODEL, version: null, message, rows, outputs: ['logits'] });
      const logits = outputs[0]!.data as Float32Array;
      const width = logits.length / rows;
      for (let row = 0; row < rows; row++) answers.push(answerOf(logits.subarray(row * width, (row + 1) * width)));
    }
    return answers;
  }

  function compare(answers: readonly Answer[], expected: readonly Answer[]): { equal: number; difference: number } {
    const equal = answers.filter(({ top5 }, index) => top5[0] === expected[index]!.top5[0]).length;
    const difference = Math.max(
      ...answers.map(({ scores }, index) => Math.abs(scores[0]! - expected[index]!.scores[0]!)),
    );
    return { equal: equal / answers.length, difference };
  }

  test('1000 validation images: top-1 equal for at least 99 %, the best score within 1e-2', async () => {
    const names = Object.keys(reference.top5 as Record<string, number[]>);
    const expected = names.map((name) => ({ top5: reference.top5[name], scores: reference.scores[name] }));
    const { equal, difference } = compare(
      await classify(names.map((name) => join(SHARED, 'tiny-imagenet', name))),
      expected,
    );
    expect(names).toHaveLength(1000);
    expect(equal).toBeGreaterThanOrEqual(0.99);
    expect(difference).toBeLessThan(1e-2);
  });

  test('photos, decoded and resized: top-1 equal, the best score within 1e-2', async () => {
    const names = Object.keys(reference.photos as Record<string, Answer>);
    const { equal, difference } = compare(
      await classify(names.map((name) => join(SHARED, 'corpora/photos', name))),
      names.map((name) => reference.photos[name]),
    );
    expect(equal).toBe(1);
    expect(difference).toBeLessThan(1e-2);
  });
});
