/** The OpenAPI document of a running worker: a linter finds no error, and the worker keeps what it promises under generated requests. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { buildPng } from '../support/build-png.ts';
import { DocumentedAnswers, type OpenApiDocument } from '../support/documented-answers.ts';
import { RequestGenerator } from '../support/openapi-requests.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SEED = 20_261_123;

/** Generated requests; `BIT_EDGE_API_REQUESTS` for a longer run. */
const REQUESTS = Number(process.env.BIT_EDGE_API_REQUESTS ?? 2_000);

interface RedoclyProblem {
  readonly ruleId: string;
  readonly message: string;
  readonly location: readonly { readonly pointer: string }[];
}

let state: string;
let server: DevServer;
let document: OpenApiDocument;
let model: { name: string; version: string };

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-openapi-'));
  model = await seedDefaultModel(state);
  server = await startDevServer({ port: await findFreePort(), statePath: state });
  await waitUntilOk(`${server.url}/readyz`, 60_000);
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as OpenApiDocument;
});

afterAll(async () => {
  await server?.stop();
  await rm(state, { recursive: true, force: true });
});

it('redocly lint finds no error in the document', async () => {
  const file = join(state, 'openapi.json');
  await writeFile(file, JSON.stringify(document));
  const cli = join(ROOT, 'node_modules/@redocly/cli/bin/cli.js');
  const args = [cli, 'lint', file, `--config=${join(ROOT, 'redocly.yaml')}`, '--format=json'];
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: '1' };
  const { stdout } = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
  const { problems } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { problems: RedoclyProblem[] };
  expect(problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`)).toEqual([]);
});

it(`answers ${REQUESTS} generated requests without a 5xx, each as the document says`, {
  timeout: 600_000,
}, async () => {
  const answers = new DocumentedAnswers(document);
  const image = new Uint8Array(buildTinyPng());
  const pathValues = {
    model: [model.name, `${model.name}@latest`, `${model.name}@${model.version}`],
    name: [model.name],
    version: [model.version, 'latest'],
    // Not `latest`: other requests need it.
    alias: ['fuzz', 'other'],
    organisation: ['google'],
    vendor: ['google'],
  };
  const generator = new RequestGenerator(SEED, { pathValues, image });
  const operations = Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ template, method, operation })),
  );
  const statuses = new Map<number, number>();
  const succeeded = new Set<string>();
  for (let index = 0; index < REQUESTS; index++) {
    const { template, method, operation } = operations[index % operations.length]!;
    const { path, init } = generator.next(template, method, operation);
    const response = await fetch(server.url + path, init);
    const text = await response.text();
    const { status } = response;
    if (response.ok) succeeded.add(operation.operationId);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const shown = `request ${index}: ${init.method} ${path.slice(0, 200)}: ${status} ${text.slice(0, 500)}`;
    expect(status, shown).toBeLessThan(500);
    const mediaType = (response.headers.get('content-type') ?? '').split(';')[0]!;
    expect(Object.keys(operation.responses), shown).toContain(String(status));
    expect(Object.keys(operation.responses[status]!.content), shown).toContain(mediaType);
    if (!mediaType.endsWith('json')) continue;
    const problem = answers.problemOf({ template, method, status, mediaType }, JSON.parse(text));
    expect(problem, shown).toBeNull();
  }
  // The rest need a policy, a job, an event, a tensor or a signature, which no generator makes up.
  expect(succeeded.size, [...succeeded].join(' ')).toBeGreaterThan(31);
  // A generator that only made wrong requests, or only right ones, would prove little.
  for (const status of [200, 400, 404, 415]) expect(statuses.get(status) ?? 0, `answers ${status}`).toBeGreaterThan(20);
});

function buildTinyPng(): Uint8Array {
  const rows = Buffer.alloc(8 * 25, 90);
  for (let row = 0; row < 8; row++) rows[row * 25] = 0;
  return buildPng({ width: 8, height: 8 }, rows);
}
