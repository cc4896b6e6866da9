/** `/v1/policies`: reading a policy and publishing a version of it. */
import { SELF } from 'cloudflare:test';
import { beforeAll, expect, it } from 'vitest';
import defaultPolicy from '../../../worker/moderation/policies/default.json' with { type: 'json' };
import { seedDefaultModel } from '../../support/worker/seed.ts';

let model: string;

beforeAll(async () => {
  model = (await seedDefaultModel()).name;
});

async function call(method: string, path: string, body?: object) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json' };
  const response = await SELF.fetch(`http://localhost/v1/policies${path}`, { ...init, headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const policy = (version: string, label = 'lemon') => ({
  schema_version: 1,
  name: 'over-http',
  version,
  model: { name: model },
  categories: [{ name: 'fruit', labels: [label], thresholds: { review: 0.5 } }],
});

it('gives the policy that ships where the bucket has none, and 404 policy_not_found for others', async () => {
  const { name, version } = defaultPolicy;
  expect(await call('GET', '/default')).toMatchObject({ status: 200, body: { name, version } });
  expect(await call('GET', '/none')).toMatchObject({ status: 404, body: { code: 'policy_not_found' } });
});

it('publishes a version, moves the alias, and says so; the same again changes nothing', async () => {
  const first = await call('POST', '', { policy: policy('1') });
  expect(first).toEqual({
    status: 201,
    body: { name: 'over-http', version: '1', alias: 'latest', already_published: false, moved_from: null },
  });
  expect(await call('POST', '', { policy: policy('1') })).toMatchObject({ body: { already_published: true } });
  const second = await call('POST', '', { policy: policy('2', 'orange') });
  expect(second).toMatchObject({ status: 201, body: { version: '2', moved_from: '1' } });
  expect(await call('GET', '/over-http@1')).toMatchObject({ body: { categories: [{ labels: ['lemon'] }] } });
  expect(await call('GET', '/over-http@2')).toMatchObject({ body: { categories: [{ labels: ['orange'] }] } });
});

it('moves no alias where none is to be moved', async () => {
  const draft = { ...policy('1'), name: 'draft' };
  expect(await call('POST', '', { policy: draft, alias: null })).toMatchObject({ status: 201, body: { alias: null } });
  expect(await call('GET', '/draft')).toMatchObject({ status: 404 });
  expect(await call('GET', '/draft@1')).toMatchObject({ status: 200 });
});

it('refuses other content under a known version, labels that the model lacks, and what is no policy', async () => {
  await call('POST', '', { policy: policy('3') });
  expect(await call('POST', '', { policy: policy('3', 'orange') })).toMatchObject({
    status: 409,
    body: { code: 'conflict' },
  });
  const unknown = await call('POST', '', { policy: policy('4', 'lemom') });
  expect(unknown).toMatchObject({ status: 422, body: { code: 'invalid_policy' } });
  expect(String(unknown.body.detail)).toContain('lemom');
  expect(await call('POST', '', { policy: { name: 'x' } })).toMatchObject({
    status: 422,
    body: { code: 'invalid_policy' },
  });
  expect(await call('POST', '', {})).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } });
});
