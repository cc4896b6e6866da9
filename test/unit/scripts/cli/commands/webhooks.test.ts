/** `bit-edge webhooks` against a deployment that answers as the document says. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../../../../../scripts/cli/commands/webhooks.ts';

let server: Server;
let url: string;
let seen: string[];
let out: string;

const event = (id: string, state: string, verdict: string | null, failure: string | null) => ({
  id,
  accepted_at: '2026-01-02T03:04:05.000Z',
  state,
  item_id: `item-${id}`,
  verdict,
  failure: failure === null ? null : { code: failure, message: 'no' },
});

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''} ${body}`.trim());
    const json = (value: object, status = 200): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    if (body.includes('nobody')) json({ code: 'invalid_parameter', detail: 'there is no such source' }, 400);
    else if (pathname.endsWith('/stats')) json({ sources: { shop: { undecided: 2, delivered: 3 }, hub: {} } });
    else if (pathname.endsWith('/rejudge')) json({ rejudged: 2 }, 202);
    else if (pathname.endsWith('/replay')) json({ replayed: 1 }, 202);
    else if (searchParams.has('cursor')) json({ events: [event('2', 'delivered', 'allow', null)], next_cursor: null });
    else json({ events: [event('1', 'undecided', null, 'model_corrupt')], next_cursor: 'next' });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
});

beforeEach(() => {
  seen = [];
  out = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe('bit-edge webhooks', () => {
  it('rejudge has the undecided events of a source judged', async () => {
    expect(await run(['rejudge', '--source', 'shop', '--url', url, '--key', 'k'])).toBe(0);
    expect(out).toBe('2 queued to be judged\n');
    expect(seen).toEqual(['POST /v1/webhooks/rejudge Bearer k {"source":"shop"}']);
  });

  it('replay has the dead events of a source delivered', async () => {
    expect(await run(['replay', '--source', 'shop', '--state', 'dead', '--url', url])).toBe(0);
    expect(out).toBe('1 queued to be delivered\n');
    expect(seen).toEqual(['POST /v1/webhooks/replay  {"source":"shop","state":"dead"}']);
  });

  it('stats counts the events of every source', async () => {
    expect(await run(['stats', '--url', url])).toBe(0);
    expect(out.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      'shop 2 undecided, 3 delivered',
      'hub no events',
      '',
    ]);
  });

  it('events lists all pages, with the verdict or why there is none', async () => {
    expect(await run(['events', '--state', 'undecided', '--url', url])).toBe(0);
    expect(out.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      '1 2026-01-02T03:04:05.000Z undecided model_corrupt item-1',
      '2 2026-01-02T03:04:05.000Z delivered allow item-2',
      '',
    ]);
    expect(seen[1]).toContain('cursor=next');
  });

  it('says what the deployment refuses', async () => {
    await expect(run(['rejudge', '--source', 'nobody', '--url', url])).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('answered 400: invalid_parameter: there is no such source'),
    });
  });

  it.each([[[]], [['rejudge']], [['replay', '--source', 'shop']], [['stats', 'shop']]])(
    '%j is wrong usage',
    async (args) => {
      expect(await run([...args, '--url', url])).toBe(2);
      expect(seen).toEqual([]);
    },
  );
});
