/** The clients of docs/clients.md and the answer of the README, against a local deployment. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BitEdgeClient, BitEdgeError } from 'bit-edge/client';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../model-store/sha256.ts';
import { drawFruit, FRUIT } from '../../scripts/demo/draw-fruit.ts';
import { drawLemon, LEMON_FILE } from '../../scripts/demo/lemon.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { bitEdge } from '../support/command-line.ts';
import { readPhoto } from '../support/photo.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCUMENTED_URL = 'http://127.0.0.1:8787';
const run = promisify(execFile);

/** What the README shows. */
interface Classification {
  readonly model: { readonly name: string; readonly version: string };
  readonly predictions: readonly { readonly label: string; readonly score: number; readonly index: number }[];
}

let state: string;
let folder: string;
let server: DevServer;
let best: string;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-clients-'));
  // Below the project, so that its packages are found.
  folder = await mkdtemp(join(ROOT, 'test/e2e/.readme-'));
  await seedDefaultModel(state);
  server = await startDevServer({ port: await findFreePort(), statePath: state });
  await waitUntilOk(`${server.url}/readyz`, 60_000);
  await writeFile(join(folder, 'photo.jpg'), readPhoto());
  const client = new BitEdgeClient({ baseUrl: server.url });
  best = (await client.classify(new Uint8Array(readPhoto()))).predictions[0]!.label;
});

afterAll(async () => {
  await server?.stop();
  await rm(state, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function readSnippets(): Promise<{ language: string; code: string }[]> {
  const page = await readFile(join(ROOT, 'docs/clients.md'), 'utf8');
  return [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }));
}

it('docs/clients.md: every client gives the same best label', async () => {
  const snippets = await readSnippets();
  expect(snippets.map(({ language }) => language)).toEqual(['sh', 'js', 'js', 'ts']);
  for (const [index, { language, code }] of snippets.entries()) {
    expect(code).toContain(DOCUMENTED_URL);
    const file = join(folder, `${index}.${language === 'sh' ? 'sh' : `m${language}`}`);
    await writeFile(file, code.replaceAll(DOCUMENTED_URL, server.url));
    const { stdout } = await run(language === 'sh' ? 'sh' : process.execPath, [file], { cwd: folder });
    expect(stdout, code).toContain(best);
  }
});

it('README: its first request is answered as it says', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const [, command = ''] = /```sh\n(curl [^\n]+)\n```/.exec(readme) ?? [];
  const [, documented = ''] = /```json\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(command).toContain(DOCUMENTED_URL);
  const { stdout } = await run('sh', ['-c', command.replaceAll(DOCUMENTED_URL, server.url)], { cwd: ROOT });
  const [answer, expected] = [stdout, documented].map((text) => JSON.parse(text) as Classification);
  expect({ ...answer, timing: {} }).toEqual({
    ...expected,
    timing: {},
    model: { name: expected!.model.name, version: answer!.model.version },
    predictions: expected!.predictions.map((each) => ({ ...each, score: expect.closeTo(each.score, 2) })),
  });
});

it('examples/lemon.png is what draws it', async () => {
  const pixelsOf = (png: Uint8Array) => PNG.sync.read(Buffer.from(png)).data;
  expect(pixelsOf(await readFile(LEMON_FILE)).equals(pixelsOf(drawLemon()))).toBe(true);
});

it('examples/typed-client.ts prints labels; an error ends it with its code', async () => {
  const example = join(ROOT, 'examples/typed-client.ts');
  const { stdout } = await run(process.execPath, [example, join(folder, 'photo.jpg'), server.url]);
  expect(stdout.split('\n')[0]).toContain(best);
  const failed = run(process.execPath, [example, example, server.url]);
  await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('unrecognized_image') });
});

describe('the typed client', () => {
  it('asks for every task', async () => {
    const client = new BitEdgeClient({ baseUrl: `${server.url}/` });
    const photo = new Blob([new Uint8Array(readPhoto())]);
    const { embedding, dimensions } = await client.embed(photo, { normalize: true });
    expect(embedding).toHaveLength(dimensions);
    const { models } = await client.listModels();
    const { name, version } = models[0]!;
    expect((await client.getModel(`${name}@${version}`)).num_labels).toBeGreaterThan(1);
    expect((await client.classify(photo, { model: name, top_k: 2 })).predictions).toHaveLength(2);
    expect(await client.moveAlias(name, 'canary', version)).toMatchObject({ from: null, to: version });
    const { verdict, categories } = await client.moderate(photo);
    expect(categories.map(({ action }) => action)).toContain(verdict);
    const { id, links } = await client.createJob({ task: 'embed', inputs: [{ r2: 'uploads/none.png' }] });
    expect(links.self).toBe(`/v1/jobs/${id}`);
    expect((await client.getJob(id)).parameters).toEqual({ exact: false });
  });

  it('throws the problem of an answer that is no success', async () => {
    const client = new BitEdgeClient({ baseUrl: server.url });
    const error = await client.classify({ url: 'https://127.0.0.1/x.png' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BitEdgeError);
    expect(error).toMatchObject({ problem: { status: 400, code: 'url_not_allowed' } });
  });
});

it('bit-edge head train --url: a folder of folders becomes a head that the deployment serves', async () => {
  const pictures = join(state, 'pictures');
  for (const fruit of FRUIT) {
    await mkdir(join(pictures, fruit), { recursive: true });
    // Over what one request embeds: the head is followed until it is ready.
    for (let i = 0; i < 6; i++) await writeFile(join(pictures, fruit, `${i}.png`), drawFruit(fruit, i));
  }
  const args = ['head', 'train', pictures, '--name', 'fruit', '--url', server.url, '--unknown', '0.05', '--json'];
  const trained = await bitEdge(args);
  expect(trained, trained.stderr).toMatchObject({ exitCode: 0 });
  const head = JSON.parse(trained.stdout) as {
    state: string;
    examples: object;
    aliases: { latest: string };
    versions: { sha256: string }[];
  };
  expect(head).toMatchObject({ state: 'ready', examples: { pending: 0, ready: 6 * FRUIT.length, failed: 0 } });
  // Without a deployment the same pictures give the same bytes.
  const out = join(state, 'head');
  const here = await bitEdge(['head', 'train', pictures, '--name', 'fruit', '--out', out, '--unknown', '0.05']);
  expect(here, here.stderr).toMatchObject({ exitCode: 0 });
  expect(await sha256Hex(new Uint8Array(await readFile(join(out, 'head.safetensors'))))).toBe(head.versions[0]!.sha256);
  const client = new BitEdgeClient({ baseUrl: server.url });
  const answer = await client.classify(new Uint8Array(drawFruit(FRUIT[1]!, 40)), {
    model: `fruit@${head.aliases.latest}`,
  });
  expect(answer.predictions.map(({ label }) => label).sort()).toEqual([...FRUIT, 'unknown'].sort());
  const again = await bitEdge(args);
  expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('conflict') });
});
