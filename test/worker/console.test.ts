/** The console's pages and files, what they are served with, and what they ask before a person does anything. */
import { env, SELF } from 'cloudflare:test';
import { Hono } from 'hono';
import { beforeAll, expect, it } from 'vitest';
import type { Manifest } from '../../model-store/manifest.ts';
import { readConfig } from '../../worker/config.ts';
import { toAppError } from '../../worker/problem.ts';
import { CONSOLE_PAGES, consoleRoutes } from '../../worker/routes/console.ts';
import type { AppEnvironment, Services } from '../../worker/services.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

let manifest: Manifest;

beforeAll(async () => {
  manifest = await seedDefaultModel();
});

it.each(CONSOLE_PAGES)(
  'serves the page %s under a policy without inline code, other origins and frames',
  async (path) => {
    const response = await SELF.fetch(`http://localhost${path}`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('<div id="app">');
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(response.headers.get('x-frame-options')).toBe('DENY');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(response.headers.has('set-cookie')).toBe(false);
  },
);

it('serves its script for a year, as its name has a hash of it, and the page again only when it has changed', async () => {
  const page = await SELF.fetch('http://localhost/');
  const script = /src="([^"]+)"/.exec(await page.text())![1]!;
  const response = await SELF.fetch(`http://localhost${script}`);
  expect(response.headers.get('content-type')).toMatch(/javascript/);
  expect(response.headers.get('cache-control')).toContain('immutable');
  await response.body?.cancel();
  const again = await SELF.fetch('http://localhost/', { headers: { 'if-none-match': page.headers.get('etag')! } });
  expect([again.status, await again.text()]).toEqual([304, '']);
});

it('answers a file that is not there with a problem', async () => {
  const response = await SELF.fetch('http://localhost/console/none.js');
  expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  expect(await response.json()).toMatchObject({ code: 'not_found' });
});

it('gives the preprocessing of a version as it was published', async () => {
  const response = await SELF.fetch(`http://localhost/v1/models/${manifest.name}/preprocessor`);
  const published = JSON.parse(
    new TextDecoder().decode(await readFixture(`model/${manifest.preprocessor.path}`)),
  ) as unknown;
  expect(await response.json()).toEqual({ preprocessor: published });
});

it('says what a caller without a key may do: all on localhost, nothing elsewhere', async () => {
  const local = await SELF.fetch('http://localhost/v1/key');
  expect(local.headers.get('cache-control')).toBe('no-store');
  expect(await local.json()).toEqual({
    id: 'anonymous',
    scopes: ['classify', 'embed', 'jobs', 'moderate', 'heads', 'admin', 'work'],
    rate_tier: null,
  });
  const remote = await SELF.fetch('https://bit.example/v1/key');
  expect([remote.status, await remote.json()]).toEqual([500, expect.objectContaining({ code: 'auth_not_configured' })]);
});

it('is not there with CONSOLE=off, and a value that is neither on nor off is refused by name', async () => {
  const app = new Hono<AppEnvironment>();
  app.use(async (c, next) => {
    c.set('services', { config: readConfig({ CONSOLE: 'off' }) } as Services);
    await next();
  });
  app.route('/', consoleRoutes);
  app.onError((error, c) => c.text(toAppError(error).code, 404));
  for (const path of ['/', '/console/icon.svg']) {
    const response = await app.request(path, {}, env);
    expect([response.status, await response.text()], path).toEqual([404, 'not_found']);
  }
  expect(() => readConfig({ CONSOLE: 'no' })).toThrow('CONSOLE is "no"');
});
