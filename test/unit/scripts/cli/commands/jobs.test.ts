import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

const ID = 'job_1';

const FAILURES = [
  '{"index":1,"id":"a.jpg","status":"failed","error":{"code":"object_not_found","message":"the object is gone"}}',
  '{"index":2,"status":"failed","error":{"code":"corrupt_image","message":"JPEG has no scan"}}',
  '{"index":3,"status":"failed","error":{"code":"object_not_found","message":"the object is gone"}}',
].join('\n');

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly key: string | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

let server: Server;
let directory: string;
let url: string;
let seen: Seen[];
let polls: number;
let failed: number;

function job(state: string): object {
  const counts = { total: 2, pending: state === 'running' ? 1 : 0, succeeded: 1, failed, cancelled: 0 };
  return { id: ID, state, counts, total_is_final: true };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bit-edge-jobs-'));
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const path = request.url ?? '';
    const { authorization, 'content-type': type } = request.headers;
    seen.push({ method: request.method ?? '', url: path, key: authorization, type, body });
    const json = (value: object, status = 200): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    if (path.includes('unknown')) json({ code: 'job_not_found', detail: 'no such job' }, 404);
    else if (request.method === 'POST') json(job('running'), 202);
    else if (path.includes('/results?cursor=0-0')) {
      response.writeHead(200, { 'x-next-cursor': '0-1' }).end('{"index":0}\n');
    } else if (path.includes('/results?cursor=0-1')) {
      // Nothing new the first time; then the rest.
      if (polls++ === 0) response.writeHead(200, { 'x-next-cursor': '0-1' }).end();
      else if (failed > 0) response.writeHead(200).end(FAILURES);
      else response.writeHead(200).end('{"index":1}\n');
    } else json(job(polls++ === 0 ? 'running' : 'completed'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

beforeEach(() => {
  seen = [];
  polls = 0;
  failed = 0;
});

afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

async function jobs(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const done = await promisify(execFile)(process.execPath, [
      'scripts/cli/bit-edge.ts',
      'jobs',
      ...args,
      '--url',
      url,
    ]);
    return { code: 0, ...done };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

test('submit sends a manifest as it is, with its type, the parameters in the query, and the key', async () => {
  const file = join(directory, 'list.csv');
  await writeFile(file, 'r2,id\nuploads/a.png,a\n');
  const result = await jobs('submit', file, '--task', 'embed', '--parameters', '{"exact":true}', '--key', 'secret');
  expect(result).toMatchObject({ code: 0, stdout: `${ID}\n` });
  expect(seen).toEqual([
    {
      method: 'POST',
      url: '/v1/jobs?exact=true&task=embed',
      key: 'Bearer secret',
      type: 'text/csv',
      body: 'r2,id\nuploads/a.png,a\n',
    },
  ]);
});

test('submit names inputs, or a prefix, in a JSON body; both or neither is wrong usage', async () => {
  await jobs('submit', 'https://example.org/a.png', 'uploads/b.png');
  await jobs('submit', '--prefix', 'uploads/');
  expect(seen.map(({ body }) => JSON.parse(body) as object)).toEqual([
    { inputs: ['https://example.org/a.png', 'uploads/b.png'], parameters: {} },
    { prefix: { r2: 'uploads/' }, parameters: {} },
  ]);
  expect((await jobs('submit')).code).toBe(2);
  expect((await jobs('submit', 'a', '--prefix', 'b')).code).toBe(2);
});

test('watch waits for the end; failed items make it exit with 1', async () => {
  const watched = await jobs('watch', ID, '--json');
  expect(watched.code).toBe(0);
  expect(JSON.parse(watched.stdout)).toMatchObject({ id: ID, state: 'completed' });
  expect(seen).toHaveLength(2);
  failed = 1;
  expect((await jobs('watch', ID)).code).toBe(1);
});

test('results follows cursors; only with --follow does it wait for what is not there yet', async () => {
  expect((await jobs('results', ID)).stdout).toBe('{"index":0}\n');
  polls = 0;
  expect((await jobs('results', ID, '--follow')).stdout).toBe('{"index":0}\n{"index":1}\n');
});

test('cancel and retry call their routes; a job that is unknown exits with 1 and says why', async () => {
  await jobs('cancel', ID);
  await jobs('retry', ID);
  expect(seen.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
    `DELETE /v1/jobs/${ID}`,
    `POST /v1/jobs/${ID}/retry`,
  ]);
  const unknown = await jobs('cancel', 'unknown');
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('job_not_found: no such job');
});

test('watch says how many items failed by code, with an example of each', async () => {
  failed = 3;
  const { code, stderr } = await jobs('watch', ID);
  expect(code).toBe(1);
  expect(stderr).toContain('2 object_not_found, such as item a.jpg: the object is gone\n');
  expect(stderr).toContain('1 corrupt_image, such as item 2: JPEG has no scan\n');
});

test('submit uploads a picture of this machine to the local bucket and names its key', async () => {
  const state = join(directory, 'state');
  const { code, stdout, stderr } = await jobs(
    'submit',
    'examples/lemon.png',
    'https://a.example/b.jpg',
    '--state',
    state,
  );
  expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: ID });
  expect(stderr).toContain('1 pictures uploaded to uploads/');
  expect(JSON.parse(seen[0]!.body)).toMatchObject({ inputs: ['https://a.example/b.jpg', 'uploads/lemon.png'] });
});
