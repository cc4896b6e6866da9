/** The border of what an isolate can serve: what publish accepts is answered, what it refuses is refused by name, and nothing stays down. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVersion } from '../../model-store/publish.ts';
import { moveAlias } from '../../model-store/versions.ts';
import { encodePhoto, makePhoto } from '../../scripts/bench/photo.ts';
import { readManifestFile } from '../../scripts/cli/files/manifest-file.ts';
import { readBytes } from '../../scripts/cli/files/read-file.ts';
import { withStore } from '../../scripts/cli/store/open-store.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { bitEdge } from '../support/command-line.ts';
import { readPhoto } from '../support/photo.ts';
import { writeSizedModel } from '../support/sized-model.ts';

const BUDGET_MIB = 64;
const SIZE_STEP_PX = 16;
const SMALLEST = 10;
const LARGEST = 40;
const READY_TIMEOUT_MS = 60_000;

let root: string;
let state: string;
let server: DevServer;
let smallName: string;
/** The largest that publish accepts, the next one, and one that says less of itself than it takes. */
const [ACCEPTED, REFUSED, LIAR] = ['accepted', 'refused', 'liar'];

interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly detail?: string;
  readonly needed_bytes?: number;
  readonly available_bytes?: number;
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-fit-'));
  state = join(root, 'state');
  smallName = (await seedDefaultModel(state)).name;
  let [accepted, refused] = [SMALLEST, LARGEST];
  while (refused - accepted > 1) {
    const middle = (accepted + refused) >> 1;
    const probe = await writeSizedModel(root, `probe-${middle}`, middle * SIZE_STEP_PX);
    const { exitCode, stderr } = await publish(probe, ['--store', join(root, `bucket-${middle}`)]);
    if (exitCode === 0) accepted = middle;
    else {
      expect(stderr).toMatch(/model_too_large: probe-\d+@1 needs \d+\.\d MiB .* an isolate has 44\.0 MiB/);
      refused = middle;
    }
  }
  expect(accepted).toBeGreaterThan(SMALLEST);
  const folder = await writeSizedModel(root, ACCEPTED, accepted * SIZE_STEP_PX);
  expect(await publish(folder, ['--persist-to', state])).toMatchObject({ exitCode: 0 });
  await forcePublish(await writeSizedModel(root, REFUSED, refused * SIZE_STEP_PX));
  await forcePublish(await writeSizedModel(root, LIAR, LARGEST * SIZE_STEP_PX, 20 * 2 ** 20));
  const variables = { AUTH: 'none', MEMORY_BUDGET_BYTES: String(BUDGET_MIB * 2 ** 20), DEFAULT_MODEL: ACCEPTED };
  server = await startDevServer({ port: await findFreePort(), statePath: state, variables });
});

afterAll(async () => {
  await server?.stop();
  await rm(root, { recursive: true, force: true });
});

function publish(folder: string, where: readonly string[]) {
  return bitEdge(['publish', folder, '--memory-mib', String(BUDGET_MIB), '--alias', 'latest', ...where]);
}

/** As a version gets there that was published for another deployment. */
async function forcePublish(folder: string): Promise<void> {
  const { manifest, text } = await readManifestFile(folder);
  await withStore({ persistPath: join(state, 'v3') }, async ({ store }) => {
    await publishVersion(store, { manifest: text, read: (path) => readBytes(join(folder, path)) });
    await moveAlias(store, manifest.name, 'latest', manifest.version, '2026-01-01T00:00:00Z');
  });
}

async function classify(body: Uint8Array<ArrayBuffer>, model?: string): Promise<Answer> {
  const response = await fetch(`${server.url}/v1/classify${model === undefined ? '' : `?model=${model}`}`, {
    method: 'POST',
    body,
    headers: { 'cache-control': 'no-store' },
  });
  return { ...((await response.json()) as Omit<Answer, 'status'>), status: response.status };
}

/** That answers, by itself or after what it replaced has come back. */
async function expectAnswer(model?: string): Promise<void> {
  expect(await classify(readPhoto(), model)).toMatchObject({ status: 200 });
}

it('the largest that publish accepts answers 12 MP photos, four at a time, and is ready', async () => {
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
  const photo = new Uint8Array(await encodePhoto(await makePhoto(4032, 3024), 'jpeg'));
  const lane = async (): Promise<number[]> => [(await classify(photo)).status, (await classify(photo)).status];
  expect((await Promise.all([lane(), lane(), lane(), lane()])).flat()).toEqual(new Array(8).fill(200));
});

it('a model that made room for another comes back when it is asked for, and so does the other', async () => {
  for (let turn = 0; turn < 3; turn++) {
    await expectAnswer(smallName);
    await expectAnswer();
  }
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
});

it('the next larger one is refused with the numbers, however it is asked for, and the default goes on answering', async () => {
  const expected = { status: 500, code: 'model_too_large', available_bytes: 44 * 2 ** 20 };
  expect(await classify(readPhoto(), REFUSED)).toMatchObject(expected);
  const json = JSON.stringify({ image: Buffer.from(readPhoto()).toString('base64'), model: REFUSED });
  const inBody = await fetch(`${server.url}/v1/classify`, {
    method: 'POST',
    body: json,
    headers: { 'content-type': 'application/json' },
  });
  expect({ ...((await inBody.json()) as object), status: inBody.status }).toMatchObject(expected);
  const warm = await fetch(`${server.url}/v1/models/${REFUSED}/warm`, { method: 'POST' });
  expect(await warm.json()).toMatchObject(expected);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  await expectAnswer();
});

it('one that takes more than its manifest says is found out, and takes nobody down for good', async () => {
  const answers = [
    await classify(readPhoto(), LIAR),
    await classify(readPhoto(), LIAR),
    await classify(readPhoto(), LIAR),
  ];
  expect(answers.at(-1)).toMatchObject({ status: 500, code: 'model_too_large' });
  expect(answers.at(-1)?.needed_bytes).toBeGreaterThan(44 * 2 ** 20);
  await expectAnswer(smallName);
  await expectAnswer();
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
});
