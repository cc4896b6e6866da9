/** Answers of jobs, decisions and webhooks of a running worker: each is what the document says, and nothing more. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DocumentedDeployment, jsonBody, POLICY, until } from '../support/documented-deployment.ts';

let deployment: DocumentedDeployment;
let image: Uint8Array<ArrayBuffer>;
const ask: DocumentedDeployment['ask'] = (...request) => deployment.ask(...request);

beforeAll(async () => {
  deployment = await DocumentedDeployment.start();
  image = new Uint8Array(await (await fetch(`${deployment.origin}/images/1`)).arrayBuffer());
});

afterAll(async () => {
  await deployment?.stop();
});

interface Entry {
  readonly id: string;
  readonly item_id: string | null;
  readonly state: string;
  readonly error?: { readonly code: string };
}

describe('POST /v1/moderate', () => {
  const moderate = (query: string) => ask(`POST /v1/moderate${query}`, { body: image });

  it('answers in each of its three shapes', async () => {
    const decision = await moderate('?policy=strict&id=first');
    expect(decision).toMatchObject({ verdict: 'block', categories: [{ overridden_by: 'lemon' }, { action: 'block' }] });
    expect(await moderate('')).toMatchObject({ policy: { name: 'default' } });
    for (const format of ['rekognition', 'rekognition&min_confidence=0']) {
      const { ModerationLabels: labels } = (await moderate(`?policy=strict&format=${format}`)) as Record<
        string,
        unknown[]
      >;
      expect(labels?.length).toBeGreaterThan(1);
    }
    expect(await moderate('?policy=strict&format=openai')).toMatchObject({
      results: [{ flagged: true, categories: { fruit: false, 'weapons/cannon': true } }],
    });
  });

  it('is refused by the document with a member of the wrong kind', async () => {
    const place = { template: '/v1/moderate', method: 'post', status: 200, mediaType: 'application/json' };
    const decision = (await moderate('?policy=strict')) as Record<string, unknown>;
    for (const [name, value] of [
      ['verdict', 'maybe'],
      ['decided_at', 'today'],
      ['id', 'dec_api'],
      ['reason', undefined],
      ['image_sha256', ''],
      ['categories', [{ name: 'fruit' }]],
    ] as const) {
      expect(deployment.answers.problemOf(place, { ...decision, [name]: value }), name).not.toBeNull();
    }
  });
});

describe('webhooks', () => {
  const send = (path: string, id: string, items: unknown) =>
    ask<{ events: Entry[] }>(`POST ${path}`, deployment.signed(id, items), { source: 'shop' });
  const item = (behaviour: string, path = 'images/2') => ({
    id: `${behaviour} ${path}`,
    url: `${deployment.origin}/${path}`,
    callback_url: `${deployment.origin}/hooks/${behaviour}`,
  });
  const listEvents = () => ask<{ events: Entry[] }>('GET /v1/webhooks/events?source=shop');
  const getEvent = (id: string) => ask<Entry>('GET /v1/webhooks/events/{id}', {}, { id });
  const ended = ({ state: now }: Entry): boolean => ['delivered', 'dead', 'disabled'].includes(now);

  it('are accepted, judged and delivered, or not, as the document says', async () => {
    // What answers 200 with nothing is no image.
    const items = [item('ok'), item('gone'), item('dead'), item('redirects'), item('ok', 'elsewhere')];
    const { events } = await send('/v1/webhooks/images', 'msg_1', items);
    expect(events).toHaveLength(items.length);
    await send('/v1/webhooks/images/{source}', 'msg_2', item('resets'));
    // The second time it is known.
    await send('/v1/webhooks/images/{source}', 'msg_2', item('resets'));

    const list = await until(listEvents, ({ events: all }) => all.every(ended));
    const byItem = Object.fromEntries(list.events.map((event) => [event.item_id, event.state]));
    expect(byItem).toEqual({
      'ok images/2': 'delivered',
      'gone images/2': 'disabled',
      'dead images/2': 'dead',
      'redirects images/2': 'delivered',
      'ok elsewhere': 'delivered',
      'resets images/2': 'delivered',
    });
    const logs = await Promise.all(list.events.map(({ id }) => getEvent(id)));
    for (const outcome of ['delivered', 'status', 'redirect', 'gone', 'network']) {
      expect(JSON.stringify(logs)).toContain(`"outcome":"${outcome}"`);
    }
    expect(await ask('GET /v1/webhooks/events?limit=1')).toMatchObject({ next_cursor: expect.any(String) });
  });

  it('are counted, enabled and replayed as the document says', async () => {
    expect(await ask('GET /v1/webhooks/stats')).toEqual({
      sources: { api: {}, shop: { delivered: 4, disabled: 1, dead: 1 } },
    });
    const { endpoints } = await ask<{ endpoints: { url: string; state: string }[] }>('GET /v1/webhooks/endpoints');
    const gone = endpoints.find((endpoint) => endpoint.state === 'disabled')!;
    expect(gone.url).toBe(`${deployment.origin}/hooks/gone`);
    await ask('POST /v1/webhooks/endpoints/enable', jsonBody({ source: 'shop', url: gone.url }));
    const all = jsonBody({ source: 'shop', state: 'disabled' });
    expect(await ask('POST /v1/webhooks/replay', all)).toEqual({ replayed: 1 });
    expect(await ask('POST /v1/webhooks/rejudge', jsonBody({ source: 'shop' }))).toEqual({ rejudged: 0 });
    const dead = (await listEvents()).events.find((event) => event.state === 'dead')!;
    await ask('POST /v1/webhooks/events/{id}/replay', {}, { id: dead.id });
    await until(() => getEvent(dead.id), ended);
  });
});

describe('decisions', () => {
  it('are listed and shown with what they were about', async () => {
    const list = () => ask<{ decisions: Entry[] }>('GET /v1/decisions?limit=1000');
    const { decisions } = await until(list, (page) => page.decisions.some((each) => each.item_id === 'first'));
    const failed = decisions.find((decision) => decision.error !== undefined);
    expect(failed).toMatchObject({ item_id: 'ok elsewhere', verdict: 'review', model: null, source: 'shop' });
    for (const { id } of decisions) await ask('GET /v1/decisions/{id}', {}, { id });
    expect(await ask('GET /v1/decisions?limit=1')).toMatchObject({ next_cursor: expect.any(String) });
  });
});

describe('policies and reviews', () => {
  it('are published, waited for, claimed and answered as the document says', async () => {
    const { allow_list: _, ...rest } = POLICY;
    const categories = [{ name: 'anything', labels: ['lemon'], thresholds: { review: 1e-6 } }];
    const published = await ask('POST /v1/policies', jsonBody({ policy: { ...rest, name: 'doubt', categories } }));
    expect(published).toMatchObject({ name: 'doubt', version: '1', alias: 'latest', moved_from: null });
    expect(await ask('GET /v1/policies/{policy}', {}, { policy: 'doubt@latest' })).toMatchObject({ name: 'doubt' });

    const image = { url: `${deployment.origin}/images/3`, policy: 'doubt', id: 'doubtful' };
    expect(await ask('POST /v1/moderate', jsonBody(image))).toMatchObject({ verdict: 'review' });
    const list = () => ask<{ reviews: Entry[] }>('GET /v1/reviews?state=pending');
    const waiting = await until(list, ({ reviews }) => reviews.some(({ item_id: item }) => item === 'doubtful'));
    const { id } = waiting.reviews.find(({ item_id: item }) => item === 'doubtful')!;
    expect(await ask('GET /v1/reviews/{id}', {}, { id })).toMatchObject({ id, state: 'pending', has_image: true });
    await ask('GET /v1/reviews/{id}/image', {}, { id });
    expect(await ask('POST /v1/reviews/next', jsonBody({ reviewer: 'ann' }))).toMatchObject({
      review: { state: 'pending' },
    });
    const approval = jsonBody({ action: 'approve', reviewer: 'ann', note: 'a toy' });
    expect(await ask('POST /v1/reviews/{id}', approval, { id })).toMatchObject({ state: 'approved', label: 'allow' });
  });
});

describe('jobs', () => {
  const create = (job: object) => ask<Entry>('POST /v1/jobs', jsonBody(job));
  const get = (id: string) => ask<Entry>('GET /v1/jobs/{id}', {}, { id });
  const inputs = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ url: `${deployment.origin}/images/${at}` }));

  it.each(['classify', 'embed', 'moderate'])('of task %s are shown from their start to their end', async (task) => {
    const { id } = await create({ task, inputs: [...inputs(3), { url: `${deployment.origin}/elsewhere` }] });
    const progress = await ask<string>('GET /v1/jobs/{id}/events', {}, { id });
    const place = { template: '/v1/jobs/{id}', method: 'get', status: 200, mediaType: 'application/json' };
    const shown = [...progress.matchAll(/^event: progress\ndata: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data!) as unknown,
    );
    for (const each of shown) expect(deployment.answers.problemOf(place, each), JSON.stringify(each)).toBeNull();
    expect(shown.at(-1)).toMatchObject({ state: 'completed', counts: { total: 4, succeeded: 3, failed: 1 } });
    expect((await ask<string>('GET /v1/jobs/{id}/results', {}, { id })).trim().split('\n')).toHaveLength(4);
    expect(await ask('POST /v1/jobs/{id}/retry', {}, { id })).toMatchObject({ id, retried: 1 });
    await until(
      () => get(id),
      (job) => job.state === 'completed',
    );
  });

  it('are cancelled and listed', async () => {
    const { id } = await create({ inputs: inputs(500) });
    expect(await ask('DELETE /v1/jobs/{id}', {}, { id })).toMatchObject({ id, state: 'cancelled' });
    expect((await ask<{ jobs: Entry[] }>('GET /v1/jobs')).jobs.map((job) => job.id)).toContain(id);
    expect(await ask('GET /v1/jobs?limit=1')).toMatchObject({ next_cursor: expect.any(String) });
  });
});

it('was asked of every operation of jobs and moderation', () => {
  const operations = Object.values(deployment.answers.document.paths).flatMap((path) => Object.values(path));
  const ours = operations.filter(({ tags }) => tags.includes('Jobs') || tags.includes('Moderation'));
  expect([...deployment.asked].sort()).toEqual(ours.map(({ operationId }) => operationId).sort());
});
