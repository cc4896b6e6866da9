/** Batches for a GPU backend: a fake one that answers each row with the colour that it was sent. */
import { env } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { readModelDescription } from '../../../worker/inference/model-description.ts';
import { BackendClient } from '../../../worker/jobs/backend-client.ts';
import { GpuInferer } from '../../../worker/jobs/gpu-inferer.ts';
import { makeTensor, type Tensor } from '../../../worker/oip/datatypes.ts';
import { decodeInferRequest } from '../../../worker/oip/infer-request.ts';
import { encodeInferResponse } from '../../../worker/oip/infer-response.ts';
import { messageHeaders, parseHeaderLength } from '../../../worker/oip/message.ts';
import { seedDefaultModel } from '../../support/worker/seed.ts';

/** Labels of the default model. */
const LABELS = 200;

let batches: number[];
let status: number;

beforeEach(() => {
  batches = [];
  status = 200;
});

/** An uncompressed BMP of one grey, 64 px square. */
function grey(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(54 + 64 * 64 * 3).fill(value);
  const view = new DataView(bytes.buffer);
  bytes.fill(0, 0, 54);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, 64, true);
  view.setInt32(22, 64, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  return bytes;
}

async function answer(url: string, init?: RequestInit): Promise<Response> {
  if (status !== 200) return new Response('down', { status });
  const request = new Request(url, init);
  const length = parseHeaderLength(request.headers.get('inference-header-content-length'));
  const [image] = decodeInferRequest(await request.bytes(), length).inputs;
  const rows = image!.shape[0]!;
  batches.push(rows);
  const data = image!.data as Uint8Array;
  const colourOf = (row: number) => data[(row * data.length) / rows]!;
  const colours = Float32Array.from({ length: rows * LABELS }, (_, at) => colourOf(Math.floor(at / LABELS)));
  const logits = makeTensor('logits', 'FP32', [rows, LABELS], colours) as Tensor;
  const message = encodeInferResponse({ modelName: 'm', modelVersion: '1', outputs: [logits] }, () => true);
  return new Response(message.body, { headers: messageHeaders(message) });
}

async function makeInferer(maxBatch: number): Promise<GpuInferer> {
  const { name, version } = await seedDefaultModel();
  const client = new BackendClient({
    url: 'http://gpu.test',
    token: null,
    fetch: (url, init) => answer(String(url), init),
    now: () => Date.now(),
    sleep: async () => {},
    random: () => 0,
  });
  return new GpuInferer({
    client,
    description: await readModelDescription(new R2ObjectStore(env.MODELS), null, name, version),
    maxBatch,
    limits: { maxBytes: 1e6, maxPixels: 1e6, maxEdge: 1000, maxMemoryBytes: 1e8 },
    images: null,
    acquire: async () => ({ release() {} }),
    now: () => 0,
  });
}

describe('images that come together', () => {
  it('go out in batches of at most what the backend takes, and each gets its own row', async () => {
    const inferer = await makeInferer(2);
    const colours = [10, 60, 110, 160, 210];
    const answers = await Promise.all(colours.map((colour) => inferer.infer(grey(colour), ['logits'], {})));
    expect(answers.map(({ outputs }) => outputs.get('logits')?.data[0])).toEqual(colours);
    expect(batches.reduce((sum, rows) => sum + rows, 0)).toBe(5);
    expect(Math.max(...batches)).toBe(2);
  });

  it('fail as backend_unavailable where it is down; a broken image fails alone', async () => {
    const inferer = await makeInferer(2);
    const results = await Promise.allSettled([
      inferer.infer(grey(10).slice(0, 40), ['logits'], {}),
      inferer.infer(grey(60), ['logits'], {}),
    ]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
    status = 500;
    await expect(inferer.infer(grey(10), ['logits'], {})).rejects.toMatchObject({ code: 'backend_unavailable' });
  });
});
