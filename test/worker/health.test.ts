import { SELF } from 'cloudflare:test';
import { expect, it } from 'vitest';

it('answers GET /healthz while alive', async () => {
  const response = await SELF.fetch('http://localhost/healthz');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ok' });
});
