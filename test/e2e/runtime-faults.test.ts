import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest } from '../../model-store/manifest.ts';
import { publishVersion } from '../../model-store/publish.ts';
import { moveAlias } from '../../model-store/versions.ts';
import { ensureDefaultModel } from '../../scripts/cli/default-model.ts';
import { withStore } from '../../scripts/cli/store/open-store.ts';
import {
  type DevServer,
  findFreePort,
  LOCAL_HOST,
  startDevServer,
  waitUntilOk,
} from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { readPhoto } from '../support/photo.ts';

const ALIAS_MAX_AGE_MS = 200;
const UPLOAD_BYTES = 4 * 1024 * 1024;

let state: string;
let server: DevServer;
let port: number;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-faults-'));
  await seedDefaultModel(state);
  port = await findFreePort();
  const variables = { AUTH: 'none', ALIAS_MAX_AGE_MS: String(ALIAS_MAX_AGE_MS) };
  server = await startDevServer({ port, statePath: state, variables });
  await waitUntilOk(`${server.url}/readyz`, 60_000);
});

afterAll(async () => {
  await server?.stop();
  await rm(state, { recursive: true, force: true });
});

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** Bytes that are leased now: what is used, without the heap, which only grows. */
async function leased(): Promise<number> {
  return (await gauge('bit_edge_memory_used_bytes')) - (await gauge('bit_edge_wasm_heap_bytes'));
}

async function classify(): Promise<{ status: number; version: string }> {
  const response = await fetch(`${server.url}/v1/classify`, {
    method: 'POST',
    body: readPhoto(),
    headers: { 'cache-control': 'no-store' },
  });
  const answer = (await response.json()) as { model?: { version: string } };
  return { status: response.status, version: answer.model?.version ?? '' };
}

/** Declares a body of `UPLOAD_BYTES`, sends `bytes`, waits until `left` says so, and breaks the connection. */
async function leave(bytes: Uint8Array, declared: number, left: () => Promise<void>): Promise<void> {
  const socket = connect(port, LOCAL_HOST);
  socket.on('error', () => {});
  socket.write(
    `POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\ncache-control: no-store\r\ncontent-length: ${declared}\r\n\r\n`,
  );
  socket.write(bytes);
  await left();
  socket.destroy();
}

describe('a client that leaves', () => {
  it('in the middle of its upload gives its memory back, and the next request is answered', async () => {
    const before = await leased();
    await leave(new Uint8Array(UPLOAD_BYTES / 4), UPLOAD_BYTES, async () => {
      await expect.poll(leased, { timeout: 10_000 }).toBeGreaterThanOrEqual(before + UPLOAD_BYTES);
    });
    await expect.poll(leased, { timeout: 20_000 }).toBe(before);
    expect((await classify()).status).toBe(200);
  });

  it('while it waits for its answer leaves no lease behind, twenty times over', async () => {
    const before = await leased();
    const photo = readPhoto();
    await Promise.all(
      Array.from({ length: 20 }, () =>
        leave(photo, photo.byteLength, () => new Promise((resolve) => setTimeout(resolve, 5))),
      ),
    );
    await expect.poll(leased, { timeout: 20_000 }).toBe(before);
    await expect.poll(() => gauge('bit_edge_waiting_requests')).toBe(0);
    expect((await classify()).status).toBe(200);
  });
});

it('an alias that moves under load: every request is answered, first by the old version, then by the new one', async () => {
  const { directory } = await ensureDefaultModel();
  const manifest = parseManifest(await readFile(join(directory, 'manifest.json'), 'utf8'));
  const next = { ...manifest, version: 'next' };
  const versions: string[] = [];
  let done = false;
  const lanes = Array.from({ length: 4 }, async () => {
    while (!done) {
      const { status, version } = await classify();
      expect(status).toBe(200);
      versions.push(version);
    }
  });
  const moved = (async () => {
    await withStore({ persistPath: join(state, 'v3') }, async ({ store }) => {
      await publishVersion(store, {
        manifest: JSON.stringify(next),
        read: (path) => readFile(join(directory, path)),
      });
      await moveAlias(store, manifest.name, 'latest', 'next', '2026-01-01T00:00:00Z');
    });
    await expect.poll(() => versions.at(-1), { timeout: 30_000 }).toBe('next');
  })();
  await moved.finally(() => {
    done = true;
  });
  await Promise.all(lanes);
  expect(new Set(versions)).toEqual(new Set([manifest.version, 'next']));
});
