/** The parts of a GPU worker: decoding threads, memory, guarded fetches, one chunk. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { ByteGate } from '../../../gpu-backend/work/byte-gate.ts';
import { ChunkRun } from '../../../gpu-backend/work/chunk-run.ts';
import { DecodePool } from '../../../gpu-backend/work/decode-pool.ts';
import type { LeasedChunk } from '../../../gpu-backend/work/deployment.ts';
import { guardedFetch } from '../../../gpu-backend/work/guarded-fetch.ts';
import { AppError, FetchError, JobError } from '../../../worker/errors.ts';
import { createUrlPolicy, describeUrlPolicy, urlPolicyOf } from '../../../worker/fetch/url-policy.ts';
import { DEFAULT_LIMITS } from '../../../worker/imaging/limits.ts';
import type { WorkOutcome } from '../../../worker/jobs/work/records.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { preprocessToRgb8 } from '../../../worker/preprocess/preprocess.ts';
import { GOLDENS, sha256 } from '../preprocess/goldens.ts';

const FIXTURES = new URL('../../fixtures/images/', import.meta.url);

const PROCESSOR = parseProcessorConfig({
  do_resize: true,
  size: { shortest_edge: 64 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 64, width: 64 },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
});

const pool = new DecodePool(2, (error) => {
  throw error;
});
afterAll(() => pool.close());

async function fixture(file: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(new URL(file, FIXTURES)));
}

describe('decoding threads', () => {
  it('give the bytes of Pillow', async () => {
    expect(GOLDENS.draft.length).toBeGreaterThan(0);
    for (const { file, shortest_edge, shape, sha256: expected } of GOLDENS.draft) {
      const processor = parseProcessorConfig({ size: shortest_edge, do_center_crop: false });
      const request = { bytes: await fixture(file), processor, exact: false, limits: DEFAULT_LIMITS };
      const { rgb8, height, width } = await pool.decode(request);
      expect([height, width, 3]).toEqual(shape);
      expect(sha256(rgb8), file).toBe(expected);
    }
  });

  it.each([
    'jpeg-444.jpg',
    'jpeg-orient6.jpg',
    'webp-lossy.webp',
    'webp-lossless-alpha.webp',
    'gif-animated.gif',
    'bmp-palette.bmp',
  ])('%s: the same hash as on the thread that the edge has', async (file) => {
    for (const exact of [false, true]) {
      const edge = await preprocessToRgb8(await fixture(file), PROCESSOR, { exact, limits: DEFAULT_LIMITS });
      const bytes = await fixture(file);
      const { rgb8 } = await pool.decode({ bytes, processor: PROCESSOR, exact, limits: DEFAULT_LIMITS });
      expect(sha256(rgb8)).toBe(sha256(edge.rgb8));
    }
  });

  it('refuse what the edge refuses, with its code, and go on', async () => {
    const whole = await fixture('jpeg-444.jpg');
    const request = { processor: PROCESSOR, exact: false, limits: DEFAULT_LIMITS };
    const cut = pool.decode({ ...request, bytes: whole.slice(0, whole.length >> 1) });
    await expect(cut).rejects.toMatchObject({ code: 'truncated_image' });
    const small = { ...request, limits: { ...DEFAULT_LIMITS, maxPixels: 16 } };
    await expect(pool.decode({ ...small, bytes: whole.slice() })).rejects.toMatchObject({ code: 'image_too_large' });
    await expect(pool.decode({ ...request, bytes: whole })).resolves.toMatchObject({ height: 64, width: 64 });
  });
});

describe('memory for images', () => {
  it('lets in what fits, in order; a large one is let in alone', async () => {
    const gate = new ByteGate(100);
    const first = await gate.take(60);
    const entered: string[] = [];
    const large = gate.take(150).then((release) => {
      entered.push('large');
      return release;
    });
    const small = gate.take(10).then((release) => {
      entered.push('small');
      return release;
    });
    expect(gate.taken).toBe(60);
    first();
    (await large)();
    (await small)();
    expect(entered).toEqual(['large', 'small']);
    expect(gate.taken).toBe(0);
  });
});

describe('a guarded fetch', () => {
  const resolveTo =
    (...addresses: string[]): LookupFunction =>
    (_, __, answer) =>
      answer(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      );
  const init = { method: 'GET', headers: {}, redirect: 'manual', signal: AbortSignal.timeout(10_000) } as const;

  it('connects to no address that is not public, whatever the name was judged by', async () => {
    const fetch = guardedFetch(createUrlPolicy(), resolveTo('93.184.216.34', '169.254.169.254'));
    await expect(fetch('https://images.bit-edge.dev/x.png', init)).rejects.toMatchObject({ code: 'url_not_allowed' });
  });

  it('reads from an origin that the deployment exempts, and follows no redirect', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/moved' ? 302 : 200, { location: '/', 'content-type': 'image/png' });
      response.end('bytes');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const origin = `http://127.0.0.1:${port}`;
    const policy = urlPolicyOf(describeUrlPolicy(createUrlPolicy({ exemptOrigins: [origin] })));
    const fetch = guardedFetch(policy);
    expect(await (await fetch(`${origin}/x`, init)).text()).toBe('bytes');
    expect((await fetch(`${origin}/moved`, init)).status).toBe(302);
    server.close();
  });
});

describe('one chunk', () => {
  const chunk: LeasedChunk = {
    lease: 'lease_1',
    attempt: 1,
    job: 'job_1',
    task: 'classify',
    model: { name: 'm', version: 'v' },
    parameters: { top_k: 1 },
    items: Array.from({ length: 100 }, (_, index) => ({ index, path: '/x' })),
  };

  function run(
    answer: (index: number) => Promise<{ predictions: [] }>,
    report: (outcomes: readonly WorkOutcome[]) => Promise<number>,
    transcodes = false,
  ) {
    const released: string[] = [];
    const deployment = {
      report: (_: string, outcomes: readonly WorkOutcome[]) => report(outcomes),
      release: async (_: string, reason: string) => void released.push(reason),
    };
    const options = { deployment, chunk, transcodes, onReported() {} };
    return { released, run: new ChunkRun({ ...options, answer: ({ index }) => answer(index) }) };
  }

  const answered = async () => ({ predictions: [] as [] });

  it('is reported in parts, each item once, until nothing is left', async () => {
    let left = 100;
    const seen: number[] = [];
    const { run: chunkRun, released } = run(answered, async (outcomes) => {
      seen.push(...outcomes.map(({ index }) => index));
      left -= outcomes.length;
      return left;
    });
    expect(await chunkRun.run()).toBe('done');
    expect(seen).toEqual(chunk.items.map(({ index }) => index));
    expect(released).toEqual([]);
  });

  it('tells what passes from what does not, and is given back for another try', async () => {
    const outcomes: WorkOutcome[] = [];
    const answer = async (index: number) => {
      if (index === 0) throw new FetchError('fetch_timeout', 'slow');
      if (index === 1) throw new AppError('truncated_image', 'cut');
      return answered();
    };
    const { run: chunkRun, released } = run(answer, async (reported) => 100 - outcomes.push(...reported) + 1);
    expect(await chunkRun.run()).toBe('leftover');
    const statuses = outcomes.filter(({ index }) => index < 3).map(({ index, status }) => [index, status]);
    expect(statuses.sort()).toEqual([
      [0, 'retry'],
      [1, 'failed'],
      [2, 'succeeded'],
    ]);
    expect(released).toEqual(['leftover']);
  });

  it('is left to the edge where only the edge reads the format', async () => {
    const answer = async (index: number) => {
      if (index === 5) throw new AppError('unsupported_image_format', 'AVIF');
      return answered();
    };
    const { run: chunkRun, released } = run(answer, async () => 1, true);
    expect(await chunkRun.run()).toBe('unable');
    expect(released).toEqual(['unable']);
  });

  it('is dropped once its lease is lost, and given back at once when the worker stops', async () => {
    let reports = 0;
    const lost = run(answered, async () => {
      reports++;
      throw new JobError('lease_lost', 'gone');
    });
    expect(await lost.run.run()).toBe('lost');
    expect([reports, lost.released]).toEqual([1, []]);
    const stopped = run(
      async (index) => {
        if (index === 50) stopped.run.stop('stopping');
        if (stopped.run.isOver) throw new Error('not begun');
        return answered();
      },
      async (outcomes) => 100 - outcomes.length,
    );
    expect(await stopped.run.run()).toBe('stopping');
    expect(stopped.released).toEqual(['stopping']);
  });
});
