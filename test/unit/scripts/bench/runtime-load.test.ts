import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { Deployment } from '../../../../scripts/bench/runtime/deployment.ts';
import { LoadClient, quantile, sendAll } from '../../../../scripts/bench/runtime/load.ts';
import { measureMemory } from '../../../../scripts/bench/runtime/memory.ts';

const MIB = 2 ** 20;
const BODY = new Uint8Array(10);
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientOf(url: string, timeoutMs: number): LoadClient {
  const client = new LoadClient(url, 4, timeoutMs);
  cleanups.push(() => client.close());
  return client;
}

it('gives up on an answer that does not come, or does not end, in time', async () => {
  const silent = await serve(() => {});
  await expect(clientOf(silent, 50).post('/x', BODY)).rejects.toThrow('no answer from /x in 0.05 s');
  const endless = await serve((_request, response) => void response.writeHead(200).write('half of it'));
  await expect(clientOf(endless, 200).post('/x', BODY)).rejects.toThrow();
});

it('ends against a server that hangs, and counts what failed and what was not sent any more', async () => {
  const sent = await sendAll(clientOf(await serve(() => {}), 50), '/', [BODY], 1000, 4);
  expect(sent.timesMs).toEqual([]);
  expect(sent.failed).toBeGreaterThanOrEqual(8);
  expect(sent.failed).toBeLessThan(12);
  expect(sent.failed + sent.unsent).toBe(1000);
});

it('sends everything to a server that refuses: an answer is a sign of life', async () => {
  const url = await serve((request, response) => void request.resume().on('end', () => response.writeHead(503).end()));
  expect(await sendAll(clientOf(url, 5000), '/', [BODY], 50, 4)).toEqual({ timesMs: [], failed: 50, unsent: 0 });
});

it('sends the bodies in turn', async () => {
  const seen: number[] = [];
  const url = await serve((request, response) => {
    seen.push(Number(request.headers['content-length']));
    request.resume().on('end', () => response.end());
  });
  const sent = await sendAll(clientOf(url, 5000), '/', [new Uint8Array(1), new Uint8Array(2)], 5, 1);
  expect(seen).toEqual([1, 2, 1, 2, 1]);
  expect(sent.timesMs).toHaveLength(5);
});

it('takes the nearest rank as the quantile', () => {
  const sorted = Array.from({ length: 200 }, (_, index) => index + 1);
  expect([quantile(sorted, 0.5), quantile(sorted, 0.99), quantile([], 0.5)]).toEqual([100, 198, Number.NaN]);
});

/** An isolate whose JavaScript takes `jsMib` of the number of requests so far. */
function isolate(url: string, jsMib: () => number): Deployment {
  return {
    url,
    inspect: async () => ({
      memory: async () => ({ heapBytes: jsMib() * MIB, backingBytes: 0 }),
      collectGarbage: async () => {},
      close() {},
    }),
    wasmHeapBytes: async () => 16 * MIB,
    loadStages: () => Promise.reject(new Error('not asked')),
    cpuMs: async () => null,
    stop: async () => {},
  };
}

it('counts growth of memory only after the first requests', async () => {
  let requests = 0;
  const url = await serve((request, response) => {
    requests++;
    request.resume().on('end', () => response.end());
  });
  const warming = await measureMemory(
    isolate(url, () => Math.min(requests, 20)),
    '/',
    [BODY],
    60,
    20,
  );
  expect(warming).toMatchObject({ growthMib: 0, steadyMib: 36, peakMib: 36, wasmMib: 16, failed: 0, unsent: 0 });
  requests = 0;
  const leaking = await measureMemory(
    isolate(url, () => requests),
    '/',
    [BODY],
    60,
    20,
  );
  expect(leaking).toMatchObject({ growthMib: 40, steadyMib: 76, failed: 0 });
});

it('ends the measurement of memory where the worker drops every request, and counts them all as failed', async () => {
  const url = await serve((request) => void request.destroy());
  const found = await measureMemory(
    isolate(url, () => 1),
    '/',
    [BODY],
    200,
    20,
  );
  expect(found.failed).toBe(200);
  expect(found.unsent).toBeGreaterThanOrEqual(188);
});

it('fails, and stops to sample, where the inspector does not answer', async () => {
  const url = await serve((request, response) => void request.resume().on('end', () => response.end()));
  const healthy = isolate(url, () => 1);
  let asked = 0;
  const broken: Deployment = {
    ...healthy,
    inspect: async () => ({
      ...(await healthy.inspect()),
      memory: () => {
        asked++;
        return Promise.reject(new Error('the inspector did not answer'));
      },
    }),
  };
  await expect(measureMemory(broken, '/', [BODY], 40, 20)).rejects.toThrow('the inspector did not answer');
  const soFar = asked;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(asked).toBeLessThanOrEqual(soFar + 1);
});
