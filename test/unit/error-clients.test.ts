/** Every error code as the clients of each dialect take it: how often they ask, and what a body may not be. */
import { imageClassification } from '@huggingface/inference';
import Cloudflare from 'cloudflare';
import { describe, expect, it } from 'vitest';
import { BitEdgeClient } from '../../client/index.ts';
import { errorResponse } from '../../worker/error-dialects.ts';
import { AppError, type ErrorCode } from '../../worker/errors.ts';
import { PROBLEMS, toProblem } from '../../worker/problem.ts';

const CODES = Object.keys(PROBLEMS) as ErrorCode[];

/** Statuses that pass by themselves. */
const PASSING: readonly number[] = [429, 503];

/** So many answers are errors; then the request is answered. */
const FAILURES = 30;

/** A server that fails at `path`, and how often it was asked. */
function failing(code: ErrorCode, path: string, success: unknown) {
  const state = { requests: 0 };
  const answer: typeof fetch = async () => {
    state.requests++;
    if (state.requests > FAILURES) return Response.json(success);
    // At once: the test counts requests, it does not wait.
    const options = PASSING.includes(PROBLEMS[code].status) ? { retryAfterSeconds: 0.001 } : {};
    return errorResponse(new AppError(code, 'no', options), 'id', path);
  };
  return { state, answer };
}

describe('every code', () => {
  it.each(CODES)('%s: 503 and 429 pass by themselves, and nothing else does', (code) => {
    const { status, blame } = PROBLEMS[code];
    const { headers } = errorResponse(new AppError(code, 'no'), 'id', '/v1/classify');
    const passes = PASSING.includes(status);
    expect(headers.get('x-should-retry')).toBe(passes ? null : 'false');
    if (status === 503) {
      expect(headers.get('retry-after')).toMatch(/^[1-9]/);
      expect(blame).toBe('service');
    } else if (status !== 429) expect(headers.get('retry-after')).toBeNull();
    if (blame === 'image' || blame === 'request') expect(status).toBeLessThan(500);
  });

  it('a conflict with a request that is still being received says when to come again; a broken model never does', () => {
    const retry = { retryAfterSeconds: 5 };
    const waiting = errorResponse(new AppError('idempotency_in_progress', 'no', retry), 'id', '/v1/jobs').headers;
    expect([waiting.get('retry-after'), waiting.get('x-should-retry')]).toEqual(['5', null]);
    const broken = errorResponse(new AppError('model_corrupt', 'no', retry), 'id', '/v1/jobs').headers;
    expect([broken.get('retry-after'), broken.get('x-should-retry')]).toEqual([null, 'false']);
  });

  it.each(CODES)('%s: no detail takes the place of a member', (code) => {
    const details = { type: 't', title: 't', status: 1, detail: 'd', code: 2, request_id: 'r', bytes: 3 };
    const { status, title } = PROBLEMS[code];
    expect(toProblem(new AppError(code, 'no', { details }), 'id')).toEqual({
      type: `/docs#${code}`,
      title,
      status,
      detail: 'no',
      code,
      request_id: 'id',
      bytes: 3,
    });
  });

  it.each(CODES)('%s: @huggingface/inference asks once, but for a model that is loading', async (code) => {
    const { state, answer } = failing(code, '/models/m', [{ label: 'a', score: 1 }]);
    const call = imageClassification(
      { data: new Blob(['x']), endpointUrl: 'http://localhost/models/m' },
      { fetch: answer },
    );
    if (code === 'not_ready') {
      expect(await call).toEqual([{ label: 'a', score: 1 }]);
      expect(state.requests).toBe(FAILURES + 1);
    } else {
      await expect(call).rejects.toThrow();
      expect(state.requests).toBe(1);
    }
  });

  it.each(CODES)("%s: Cloudflare's client asks once, but for what passes by itself", async (code) => {
    const { state, answer } = failing(code, '/ai/run/m', { result: [], success: true });
    const client = new Cloudflare({ apiToken: 't', baseURL: 'http://localhost', fetch: answer, maxRetries: 2 });
    await expect(client.post('/ai/run/m', { body: {} })).rejects.toThrow();
    const { status } = PROBLEMS[code];
    expect(state.requests).toBe(PASSING.includes(status) ? 3 : 1);
  });

  it.each(CODES)('%s: the typed client asks once, and says when to come again', async (code) => {
    const { state, answer } = failing(code, '/v1/classify', {});
    const client = new BitEdgeClient({ baseUrl: 'http://localhost', fetch: answer });
    await expect(client.classify(new Blob(['x']))).rejects.toMatchObject({ problem: { code } });
    expect(state.requests).toBe(1);
  });
});
