/**
 * Every operation of the OpenAPI document with another key's objects: 404, and nothing changed. An operation that names an object is
 * in one of the lists below, or the test fails: who adds one decides whose its objects are.
 */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey, type Scope } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import type { Operation } from '../../worker/openapi/operation.ts';
import { OPERATIONS } from '../../worker/openapi/operations.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const HOST = 'https://bit-edge.example.com';
const SCOPES: readonly Scope[] = ['classify', 'embed', 'jobs', 'moderate', 'heads'];
const HEAD = 'secret-head';

/** Of one key: jobs, decisions, heads. */
const OWNED = /^\/v1\/(jobs|decisions)\/:id|^\/v1\/heads\/:head/;

/** Where a head may be named as a model. */
const NAMES_A_MODEL = /^\/(models|pipeline|ai|v2\/models)\/.*:name/;

/** Lists of what a key has. */
const LISTS: readonly string[] = ['GET /v1/jobs', 'GET /v1/decisions', 'GET /v1/heads'];

/** Objects of the deployment, by SECURITY.md: models, policies, webhooks and their deliveries, the queue of reviews. */
const SHARED =
  /^\/v1\/(models|work\/models|policies|webhooks|reviews)(\/|$)|^\/(v2|v2\/health\/\w+|v2\/repository\/index|healthz|readyz|metrics|docs|openapi\.json)$/;

/** Bodies that the owner's request would be taken with. */
const BODIES: Readonly<Record<string, unknown>> = {
  'PUT /v1/heads/:head/aliases/:alias': { version: 'v1' },
  'POST /v1/heads/:head/examples': { classes: [{ label: 'a', embeddings: [new Array(1024).fill(0.5)] }] },
  'PATCH /v1/heads/:head/examples/:id': { label: 'b' },
};

const nameOf = ({ method, path }: Operation): string => `${method.toUpperCase()} ${path}`;

let photo: Uint8Array<ArrayBuffer>;
let owner: string;
let other: string;
let job: string;
let decision: string;

async function createKey(): Promise<string> {
  const key = { name: 't', rateTier: 'high', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
  const { token, record } = await mintApiKey({ ...key, scopes: [...SCOPES] }, random);
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  return token;
}

async function call(token: string, name: string, body?: unknown): Promise<{ status: number; text: string }> {
  const [method = '', path = ''] = name.split(' ');
  const isJson = body !== undefined && !(body instanceof Uint8Array);
  const response = await SELF.fetch(HOST + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(isJson && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: isJson ? JSON.stringify(body) : (body as Uint8Array<ArrayBuffer>) }),
  });
  return { status: response.status, text: await response.text() };
}

/** The path with the owner's objects in it. */
function filled(name: string): string {
  const id = name.includes('/v1/jobs/') ? job : name.includes('/v1/decisions/') ? decision : 'ex-1';
  const values = {
    id,
    head: HEAD,
    name: HEAD,
    version: 'v1',
    alias: 'latest',
    organisation: 'o',
    vendor: 'o',
    key: 'k',
  };
  return Object.entries(values).reduce((path, [parameter, value]) => path.replace(`:${parameter}`, value), name);
}

/** What the owner sees of its objects. */
async function seenByOwner(): Promise<unknown[]> {
  const paths = [`/v1/decisions/${decision}`, `/v1/heads/${HEAD}`, `/v1/heads/${HEAD}/examples`];
  const seen = await Promise.all(paths.map((path) => call(owner, `GET ${path}`)));
  const { status, text } = await call(owner, `GET /v1/jobs/${job}`);
  const { state } = JSON.parse(text) as { state: string };
  return [...seen, { status, isCancelled: state === 'cancelled' }];
}

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
  [owner, other] = await Promise.all([createKey(), createKey()]);
  const corner = (at: number) => Array.from({ length: 1024 }, (_, i) => (i === at ? 1 : 0.01 * Math.sin(i + at)));
  const classes = ['a', 'b'].map((label, at) => ({ label, embeddings: [corner(at), corner(at + 2), corner(at + 4)] }));
  const head = await call(owner, 'POST /v1/heads', { name: HEAD, classes });
  expect(head.status, head.text).toBeLessThan(300);
  const made = await call(owner, 'POST /v1/jobs', { inputs: [{ r2: 'incoming/none.png' }] });
  job = (JSON.parse(made.text) as { id: string }).id;
  const judged = await call(owner, 'POST /v1/moderate', photo);
  decision = (JSON.parse(judged.text) as { id: string }).id;
  const isLogged = async () => (await call(owner, `GET /v1/decisions/${decision}`)).status === 200;
  await vi.waitUntil(isLogged, { timeout: 30_000 });
});

it('every operation that names an object is in one of the lists', () => {
  const undecided = OPERATIONS.filter(({ path }) => {
    const lists = [OWNED, NAMES_A_MODEL, SHARED].filter((list) => list.test(path));
    return path.includes('/:') && lists.length !== 1;
  });
  expect(undecided.map(nameOf)).toEqual([]);
});

describe("another key's objects", () => {
  const owned = OPERATIONS.filter(({ path }) => OWNED.test(path)).map(nameOf);
  const named = OPERATIONS.filter(({ path }) => NAMES_A_MODEL.test(path)).map(nameOf);

  it.each([...owned, ...named])('%s: 404, and the owner’s are as they were', async (name) => {
    const before = await seenByOwner();
    const body = BODIES[name] ?? (/^(POST|PUT) \/(models|pipeline|ai|v2)/.test(name) ? bodyFor(name) : undefined);
    const { status, text } = await call(other, filled(name), body);
    expect([status, text]).toEqual([404, expect.any(String)]);
    expect(await seenByOwner()).toEqual(before);
  });

  it.each(LISTS)('%s does not list them', async (name) => {
    const { status, text } = await call(other, name);
    expect(status).toBe(200);
    for (const id of [job, decision, HEAD]) expect(text).not.toContain(id);
  });

  it('are found by their owner', async () => {
    for (const seen of await seenByOwner()) expect(seen).toMatchObject({ status: 200 });
    expect((await call(owner, `POST /models/${HEAD}`, photo)).status).toBe(200);
    for (const name of LISTS) expect((await call(owner, name)).status).toBe(200);
  });
});

function bodyFor(name: string): unknown {
  if (!name.includes('/infer')) return photo;
  const base64 = btoa(Array.from(photo, (byte) => String.fromCharCode(byte)).join(''));
  return { inputs: [{ name: 'image', datatype: 'BYTES', shape: [1], data: [base64] }] };
}
