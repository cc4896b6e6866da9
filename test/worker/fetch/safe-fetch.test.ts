/** The same rules in workerd, whose URL parser and streams are the ones that count. */
import { describe, expect, it } from 'vitest';
import { FetchError } from '../../../worker/errors.ts';
import { safeFetch } from '../../../worker/fetch/safe-fetch.ts';
import { createUrlPolicy, judgeUrl } from '../../../worker/fetch/url-policy.ts';
import { GOOD_URLS, HOSTILE_URLS } from '../../support/urls.ts';

const policy = createUrlPolicy();

describe('url policy in workerd', () => {
  it.each(HOSTILE_URLS)('refuses %j: %s', (url, reason) => {
    try {
      judgeUrl(url, policy);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(FetchError);
      expect((error as FetchError).details.reason).toBe(reason);
    }
  });

  it.each(GOOD_URLS)('allows %j', (url, href) => {
    expect(judgeUrl(url, policy).href).toBe(href);
  });
});

describe('safe fetch in workerd', () => {
  const options = { policy, maxBytes: 1000, contentTypes: ['image/*'], timeoutMs: 200 };

  it('stops reading an endless body at the cap, and cancels it', async () => {
    let pulls = 0;
    let cancelled = false;
    const body = new ReadableStream({
      pull(controller) {
        pulls++;
        controller.enqueue(new Uint8Array(100));
      },
      cancel() {
        cancelled = true;
      },
    });
    const endless = async () => new Response(body, { headers: { 'content-type': 'image/png' } });
    await expect(safeFetch('https://images.example.com/', { ...options, fetch: endless })).rejects.toMatchObject({
      code: 'fetch_failed',
      details: { reason: 'too_large', limit: 1000 },
    });
    expect(pulls).toBeLessThan(15);
    expect(cancelled).toBe(true);
  });

  it('gives up at the deadline when the body stalls', async () => {
    const stalled = async () =>
      new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }), {
        headers: { 'content-type': 'image/png' },
      });
    await expect(safeFetch('https://images.example.com/', { ...options, fetch: stalled })).rejects.toMatchObject({
      code: 'fetch_timeout',
      details: { timeout_ms: 200 },
    });
  });

  it('judges every hop', async () => {
    const fetched: string[] = [];
    const redirect = async (url: string) => {
      fetched.push(url);
      return new Response('moved', { status: 302, headers: { location: 'https://169.254.169.254/' } });
    };
    await expect(safeFetch('https://images.example.com/', { ...options, fetch: redirect })).rejects.toMatchObject({
      code: 'url_not_allowed',
      details: { reason: 'cloud_metadata' },
    });
    expect(fetched).toEqual(['https://images.example.com/']);
  });
});
