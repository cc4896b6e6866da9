import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { run } from '../../../../../scripts/cli/commands/load.ts';
import { estimateCost } from '../../../../../scripts/cli/load/pricing.ts';

vi.setConfig({ testTimeout: 60_000 });

let server: Server | null = null;

afterEach(() => {
  vi.restoreAllMocks();
  server?.closeAllConnections();
  server?.close();
});

/** A deployment that refuses every third request. */
async function deployment(requests: { path: string; key: string | undefined; bytes: number }[]): Promise<string> {
  server = createServer(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).byteLength;
    requests.push({ path: request.url ?? '', key: request.headers.authorization, bytes });
    const refused = requests.length % 3 === 0;
    const body = refused ? { code: 'overloaded' } : { timing: { decode_ms: 2, inference_ms: 8 } };
    response.writeHead(refused ? 503 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function collectOutput(): { text: string } {
  const output = { text: '' };
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    output.text += String(chunk);
    return true;
  });
  return output;
}

it('counts answers, errors by code, percentiles and the time that answers name', async () => {
  const requests: { path: string; key: string | undefined; bytes: number }[] = [];
  const url = await deployment(requests);
  const output = collectOutput();
  const args = ['--url', url, '--rps', '20', '--minutes', '0.02', '--model', 'm', '--key', 'bek_x', '--json'];
  expect(await run(args)).toBe(1);
  const report = JSON.parse(output.text) as { answered: number; errors: Record<string, number> } & object;
  expect(report).toMatchObject({ compute_ms: 10, cost: { usd_per_million_requests: 0.5 } });
  expect(report.answered).toBeGreaterThan(0);
  expect(Object.keys(report.errors)).toContain('overloaded');
  expect(requests[0]).toMatchObject({ path: '/v1/classify?model=m', key: 'Bearer bek_x' });
  expect(requests[0]!.bytes).toBeGreaterThan(1000);
});

it('where nothing answers: counts that, and has no estimate without --cpu-ms', async () => {
  const output = collectOutput();
  expect(await run(['--url', 'http://127.0.0.1:9', '--rps', '5', '--minutes', '0.02'])).toBe(1);
  expect(output.text).toMatch(/^errors {5}\d+ no answer$/m);
  expect(output.text).toContain('no estimate without --cpu-ms');
});

it.each([
  ['--rps', '0'],
  ['--minutes', 'x'],
  ['--connections', '0.5'],
  ['--cpu-ms', 'x'],
])('refuses %s %s', async (flag, value) => {
  collectOutput();
  expect(await run(['--url', 'http://127.0.0.1:9', flag, value])).toBe(2);
});

// https://developers.cloudflare.com/workers/platform/pricing/#workers: the first example there, 15 million requests of 7 ms.
it('estimates what the price list does', () => {
  const perSecond = 15_000_000 / (30 * 24 * 3600);
  expect(estimateCost(7, perSecond).usd_per_month).toBe(8);
  expect(estimateCost(7, 0.1).usd_per_month).toBe(5);
});
