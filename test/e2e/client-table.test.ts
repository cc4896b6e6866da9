/**
 * Clients as they are: packages that are run, and bodies of others, recorded or written by their sources. Every way in which a client
 * can send a picture must give the label of /v1/classify. The table of docs/clients.md is what this test saw: a stale one fails,
 * and `BIT_EDGE_WRITE_PAGES=1` writes it.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { imageClassification } from '@huggingface/inference';
import axios from 'axios';
import { BitEdgeClient } from 'bit-edge/client';
import Cloudflare from 'cloudflare';
import got from 'got';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import * as undici from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { markdownTable } from '../../scripts/cli/report/markdown-table.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { encodeInferRequest } from '../../worker/oip/infer-request.ts';
import { decodeInferResponse } from '../../worker/oip/infer-response.ts';
import { HEADER_LENGTH_HEADER, messageHeaders } from '../../worker/oip/message.ts';
import { readPhoto } from '../support/photo.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = join(ROOT, 'docs/clients.md');
const START = '<!-- clients: written by test/e2e/client-table.test.ts -->';
const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** Ways to send a picture, the columns of the table. */
const WAYS = ['bytes', 'form', 'JSON', 'gzip'] as const;
type Way = (typeof WAYS)[number];

/** Each way gives the best label that came back. */
interface Client {
  readonly name: string;
  readonly how: string;
  readonly ways: Partial<Record<Way, () => Promise<string>>>;
}

let state: string;
let server: DevServer;
let model: string;
let best: string;
const photo = new Uint8Array(readPhoto());
const photoFile = (): File => new File([photo], 'photo.jpg', { type: 'image/jpeg' });
const base64 = Buffer.from(photo).toString('base64');
const jsonType = { 'content-type': 'application/json' };

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-client-table-'));
  ({ name: model } = await seedDefaultModel(state));
  const moderation = { sources: [{ name: 'shop', secrets: [SECRET.slice('whsec_'.length)] }] };
  const variables = { MODERATION: JSON.stringify(moderation) };
  server = await startDevServer({ port: await findFreePort(), statePath: state, variables });
  await waitUntilOk(`${server.url}/readyz`, 60_000);
  await writeFile(join(state, 'photo.jpg'), photo);
  best = (await new BitEdgeClient({ baseUrl: server.url }).classify(photo)).predictions[0]!.label;
});

afterAll(async () => {
  await server?.stop();
  await rm(state, { recursive: true, force: true });
});

const classification = z.object({ predictions: z.array(z.object({ label: z.string() })).min(1) });
const labels = z.array(z.object({ label: z.string() })).min(1);
const bestOf = (answer: unknown): string => classification.parse(answer).predictions[0]!.label;
const classifyUrl = (): string => `${server.url}/v1/classify`;

/** The version of a package, as it is installed. */
async function versionOf(name: string): Promise<string> {
  const path = require.resolve.paths(name)!.map((folder) => join(folder, name, 'package.json'));
  for (const file of path) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return `run, ${z.object({ version: z.string() }).parse(JSON.parse(text)).version}`;
  }
  throw new Error(`${name} is not installed`);
}

async function post(path: string, body: BodyInit, headers: Record<string, string>): Promise<Response> {
  const response = await fetch(server.url + path, { method: 'POST', body, headers });
  expect(response.status, path).toBeLessThan(300);
  return response;
}

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '--fail-with-body', ...args], { cwd: state, encoding: 'utf8' });
  return bestOf(JSON.parse(stdout));
}

function formOf(file: File): FormData {
  const form = new FormData();
  form.set('image', file);
  form.set('top_k', '3');
  return form;
}

/** Packages that are run. */
async function packages(): Promise<Client[]> {
  const gzipped = gzipSync(photo);
  const gzip = { 'content-encoding': 'gzip', 'content-type': 'image/jpeg' };
  return [
    {
      name: 'curl',
      how: "run, the machine's",
      ways: {
        bytes: () => curl('--data-binary', '@photo.jpg', classifyUrl()),
        form: () => curl('-F', 'image=@photo.jpg', '-F', 'top_k=3', classifyUrl()),
        JSON: async () => {
          await writeFile(join(state, 'body.json'), JSON.stringify({ image: base64 }));
          return curl('-H', 'content-type: application/json', '--data-binary', '@body.json', classifyUrl());
        },
        gzip: async () => {
          await writeFile(join(state, 'photo.jpg.gz'), gzipped);
          return curl('-H', 'content-encoding: gzip', '--data-binary', '@photo.jpg.gz', classifyUrl());
        },
      },
    },
    {
      name: 'fetch of Node',
      how: `run, ${process.version.slice(1).split('.')[0]}`,
      ways: {
        bytes: async () => bestOf(await (await post('/v1/classify', photo, {})).json()),
        form: async () => bestOf(await (await post('/v1/classify', formOf(photoFile()), {})).json()),
        JSON: async () =>
          bestOf(await (await post('/v1/classify', JSON.stringify({ image: base64 }), jsonType)).json()),
        gzip: async () => bestOf(await (await post('/v1/classify', gzipped, gzip)).json()),
      },
    },
    {
      name: '`undici`',
      how: await versionOf('undici'),
      ways: {
        bytes: async () => {
          const { body } = await undici.request(classifyUrl(), { method: 'POST', body: photo });
          return bestOf(await body.json());
        },
        form: async () => {
          const form = new undici.FormData();
          form.set('image', photoFile());
          const response = await undici.fetch(classifyUrl(), { method: 'POST', body: form });
          return bestOf(await response.json());
        },
        JSON: async () => {
          const body = JSON.stringify({ image: base64 });
          const answer = await undici.request(classifyUrl(), { method: 'POST', body, headers: jsonType });
          return bestOf(await answer.body.json());
        },
        gzip: async () => {
          const { body } = await undici.request(classifyUrl(), { method: 'POST', body: gzipped, headers: gzip });
          return bestOf(await body.json());
        },
      },
    },
    {
      name: '`axios`',
      how: await versionOf('axios'),
      ways: {
        bytes: async () =>
          bestOf((await axios.post(classifyUrl(), photo, { headers: { 'content-type': 'image/jpeg' } })).data),
        form: async () => bestOf((await axios.post(classifyUrl(), formOf(photoFile()))).data),
        JSON: async () => bestOf((await axios.post(classifyUrl(), { image: base64, top_k: null })).data),
        gzip: async () => bestOf((await axios.post(classifyUrl(), gzipped, { headers: gzip })).data),
      },
    },
    {
      name: '`got`',
      how: await versionOf('got'),
      ways: {
        bytes: async () => bestOf(await got.post(classifyUrl(), { body: photo }).json()),
        form: async () => bestOf(await got.post(classifyUrl(), { body: formOf(photoFile()) }).json()),
        JSON: async () => bestOf(await got.post(classifyUrl(), { json: { image: base64 } }).json()),
        gzip: async () => bestOf(await got.post(classifyUrl(), { body: gzipped, headers: gzip }).json()),
      },
    },
    {
      name: '`bit-edge/client`',
      how: 'run, of this repository',
      ways: {
        bytes: async () => bestOf(await new BitEdgeClient({ baseUrl: server.url }).classify(photo)),
      },
    },
    {
      name: '`@huggingface/inference`',
      how: await versionOf('@huggingface/inference'),
      ways: {
        bytes: async () => {
          const endpointUrl = `${server.url}/models/${model}`;
          return (await imageClassification({ data: photoFile(), endpointUrl }))[0]!.label;
        },
        JSON: async () => {
          const endpointUrl = `${server.url}/models/${model}`;
          const parameters = { top_k: 2 };
          return (await imageClassification({ inputs: photoFile(), parameters, endpointUrl }))[0]!.label;
        },
      },
    },
    {
      name: '`cloudflare` (Workers AI)',
      how: await versionOf('cloudflare'),
      ways: {
        JSON: async () => {
          const client = new Cloudflare({ apiToken: 'none', baseURL: server.url });
          const answer = await client.post(`/ai/run/${model}`, { body: { image: Array.from(photo) } });
          return labels.parse(z.object({ result: z.unknown() }).parse(answer).result)[0]!.label;
        },
      },
    },
  ];
}

/** Forms as other clients write them (scripts/goldens/multipart_clients.py), the picture in place of `PHOTO`. */
async function forms(): Promise<Client[]> {
  const path = new URL('../fixtures/multipart/clients.json', import.meta.url);
  const recorded = z
    .record(z.string(), z.object({ recorded: z.boolean(), content_type: z.string(), body: z.string() }))
    .parse(JSON.parse(await readFile(path, 'utf8')));
  return Object.entries(recorded).map(([name, { recorded: isRecorded, content_type, body }]) => ({
    name: `form of ${name}`,
    how: isRecorded ? 'recorded' : 'by its source',
    ways: {
      form: async () => {
        const [before, after] = body.split('PHOTO') as [string, string];
        const bytes = Buffer.concat([Buffer.from(before, 'latin1'), photo, Buffer.from(after, 'latin1')]);
        return bestOf(await (await post('/v1/classify', bytes, { 'content-type': content_type })).json());
      },
    },
  }));
}

/** What Python's clients of other servers send. */
const written: readonly Client[] = [
  {
    name: '`huggingface_hub` InferenceClient',
    how: 'by its source',
    ways: {
      bytes: async () => labels.parse(await (await post(`/models/${model}`, photo, {})).json())[0]!.label,
      JSON: async () => {
        const body = JSON.stringify({ inputs: base64, parameters: { top_k: 3, function_to_apply: null } });
        return labels.parse(await (await post(`/models/${model}`, body, jsonType)).json())[0]!.label;
      },
    },
  },
  {
    name: '`tritonclient.http`',
    how: 'by its source',
    ways: {
      bytes: async () => {
        const ready = await fetch(`${server.url}/v2/models/${model}/config`);
        expect(ready.status).toBe(200);
        const message = encodeInferRequest({
          inputs: [{ name: 'image', datatype: 'BYTES', shape: [1], data: [photo] }],
          outputs: [{ name: 'logits', parameters: { classification: 3, binary_data: true } }],
        });
        const response = await post(`/v2/models/${model}/infer`, message.body, messageHeaders(message));
        const length = Number(response.headers.get(HEADER_LENGTH_HEADER));
        const [output] = decodeInferResponse(new Uint8Array(await response.arrayBuffer()), length).outputs;
        if (output?.datatype !== 'BYTES') throw new Error('no classes came back');
        return new TextDecoder().decode(output.data[0]).split(':').slice(2).join(':');
      },
      JSON: async () => {
        const body = {
          inputs: [{ name: 'image', datatype: 'BYTES', shape: [1], data: [base64] }],
          outputs: [{ name: 'logits', parameters: { classification: 1 } }],
        };
        const response = await post(`/v2/models/${model}/infer`, JSON.stringify(body), jsonType);
        const answer = z
          .object({ outputs: z.array(z.object({ data: z.array(z.string()) })) })
          .parse(await response.json());
        return answer.outputs[0]!.data[0]!.split(':').slice(2).join(':');
      },
    },
  },
];

it('every client gets the label of /v1/classify in every way it has, and docs/clients.md says so', {
  timeout: 300_000,
}, async () => {
  const rows: string[][] = [];
  const failed: string[] = [];
  for (const { name, how, ways } of [...(await packages()), ...written, ...(await forms())]) {
    const cells: string[] = [];
    for (const way of WAYS) {
      const label = await ways[way]?.().catch((error: unknown) => String(error));
      if (label !== undefined && label !== best) failed.push(`${name}, ${way}: ${label}`);
      cells.push(label === undefined ? '' : 'yes');
    }
    rows.push([name, how, ...cells]);
  }
  expect(failed).toEqual([]);
  const table = markdownTable(['client', 'how', ...WAYS], rows);
  const page = await readFile(PAGE, 'utf8');
  const current = `${page.split(START)[0]}${START}\n\n${table}\n`;
  if (process.env.BIT_EDGE_WRITE_PAGES === '1') await writeFile(PAGE, current);
  else expect(page).toBe(current);
});

it.each([
  ['standardwebhooks', 'webhook', Webhook],
  ['svix', 'svix', SvixWebhook],
] as const)('a webhook that %s signs is accepted; one that was changed is not', async (_, prefix, Reference) => {
  const body = JSON.stringify({ id: prefix, url: 'https://images.example.com/a.png' });
  const [id, at] = [`msg_${prefix}`, new Date()];
  const headers = {
    ...jsonType,
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(Math.floor(at.getTime() / 1000)),
    [`${prefix}-signature`]: new Reference(SECRET).sign(id, at, body),
  };
  const send = (text: string) =>
    fetch(`${server.url}/v1/webhooks/images/shop`, { method: 'POST', body: text, headers });
  expect((await send(`${body} `)).status).toBe(401);
  const accepted = await send(body);
  expect([accepted.status, await accepted.json()]).toMatchObject([202, { message_id: id }]);
});
