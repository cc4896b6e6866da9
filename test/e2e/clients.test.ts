/** The clients of the README, run as they stand there, against a local deployment. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BitEdgeClient, BitEdgeError } from 'bit-edge/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/dev-server.ts';
import { seedDefaultModel } from '../../scripts/seed.ts';
import { readPhoto } from '../support/photo.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README_URL = 'http://127.0.0.1:8787';
const run = promisify(execFile);

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
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const section = /\n## Clients\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? '';
  return [...section.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }));
}

it('README: every client gives the same best label', async () => {
  const snippets = await readSnippets();
  expect(snippets.map(({ language }) => language)).toEqual(['sh', 'js', 'js', 'ts']);
  for (const [index, { language, code }] of snippets.entries()) {
    expect(code).toContain(README_URL);
    const file = join(folder, `${index}.${language === 'sh' ? 'sh' : `m${language}`}`);
    await writeFile(file, code.replaceAll(README_URL, server.url));
    const { stdout } = await run(language === 'sh' ? 'sh' : process.execPath, [file], { cwd: folder });
    expect(stdout, code).toContain(best);
  }
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
