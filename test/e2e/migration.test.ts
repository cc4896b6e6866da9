/** Databases that the code of an earlier commit left, under today's: scripts/goldens/old-state.ts made them. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';

const READY_TIMEOUT_MS = 90_000;
const AWAY = 'http://127.0.0.1:9';
const SECRET = `whsec_${Buffer.from('bit-edge, an earlier release').toString('base64')}`;

interface Facts {
  readonly accepted: { readonly message_id: string; readonly events: readonly { id: string; item_id: string }[] };
  readonly decision: { readonly id: string };
  readonly job: { readonly id: string; readonly counts: object };
}

let state: string;
let server: DevServer;
let facts: Facts;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-migration-'));
  await seedDefaultModel(state);
  await cp('test/fixtures/old-state', join(state, 'v3/do'), { recursive: true });
  facts = JSON.parse(await readFile('test/fixtures/old-state/facts.json', 'utf8')) as Facts;
  server = await startDevServer({
    port: await findFreePort(),
    statePath: state,
    variables: {
      FETCH_EXEMPT_ORIGINS: AWAY,
      DECISION_RETENTION_DAYS: '3650',
      MODERATION: JSON.stringify({
        sources: [{ name: 'shop', secrets: [SECRET], receivers: ['all'] }],
        receivers: [{ name: 'all', url: `${AWAY}/hooks/`, secrets: [SECRET] }],
      }),
    },
  });
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
});

afterAll(async () => {
  await server?.stop();
  await rm(state, { recursive: true, force: true });
});

async function get(path: string): Promise<unknown> {
  const response = await fetch(server.url + path);
  const body = await response.text();
  expect(response.status, body).toBe(200);
  return JSON.parse(body);
}

it('an accepted event is there, with columns that it was stored without, and is gone on with', async () => {
  const [event] = facts.accepted.events;
  expect(await get(`/v1/webhooks/events/${event!.id}`)).toMatchObject({
    ...event,
    message_id: facts.accepted.message_id,
  });
  const { sources } = (await get('/v1/webhooks/stats')) as { sources: Record<string, Record<string, number>> };
  expect(Object.values(sources.shop!).reduce((sum, count) => sum + count, 0)).toBe(1);
});

it('a decision is in the log', async () => {
  expect(await get(`/v1/decisions/${facts.decision.id}`)).toMatchObject({ ...facts.decision, item_id: 'old-image' });
});

it('a job is there, and in the list', async () => {
  const { id, counts } = facts.job;
  expect(await get(`/v1/jobs/${id}`)).toMatchObject({ id, state: 'completed', counts });
  expect(JSON.stringify(await get('/v1/jobs'))).toContain(id);
});
