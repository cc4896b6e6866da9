import { describe, expect, it } from 'vitest';
import { findReceiver } from '../../../worker/callbacks/callback-settings.ts';
import { ConfigurationError } from '../../../worker/errors.ts';
import { readUrlPolicy } from '../../../worker/fetch/settings.ts';
import { createUrlPolicy } from '../../../worker/fetch/url-policy.ts';
import { findR2Rule, readModerationSettings } from '../../../worker/moderation/settings.ts';
import { moderationBindings, RECEIVER_SECRET, RECEIVER_URL } from '../../support/moderation-bindings.ts';

const policy = createUrlPolicy();
const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const read = (MODERATION: unknown, more: Record<string, unknown> = {}) =>
  readModerationSettings({ MODERATION, ...more }, policy);

describe('MODERATION', () => {
  it('may be absent: no sources, documented defaults', () => {
    for (const value of [undefined, '', {}]) {
      expect(read(value)).toMatchObject({
        sources: [],
        receivers: [],
        retentionMs: 30 * 86_400_000,
        callbackTimeoutMs: 30_000,
        retryScale: 1,
      });
    }
  });

  it('is read from JSON text or an object', () => {
    expect(read(moderationBindings.MODERATION)).toEqual(read(JSON.parse(moderationBindings.MODERATION)));
    expect(read(moderationBindings.MODERATION).sources[1]).toMatchObject({
      name: 'hub',
      scheme: 'github',
      policy: 'default',
    });
  });

  it.each([
    ['{', /not JSON \(1 characters\)/],
    [{ sorces: [] }, /sorces/],
    [{ sources: [{ name: 'Shop', secrets: [SECRET] }] }, /sources\.0\.name/],
    [{ sources: [{ name: 'shop', secrets: [] }] }, /sources\.0\.secrets/],
    [{ sources: [{ name: 'shop', secrets: ['hunter2'] }] }, /source shop: secret 1: .*whsec_/],
    [{ sources: [{ name: 'api', secrets: [SECRET] }] }, /named "api"/],
    [{ sources: [{ name: 'a', secrets: [SECRET], policy: 'x@y@z' }] }, /NAME@VERSION/],
    [{ sources: [{ name: 'a', secrets: [SECRET], receivers: ['b'] }] }, /receiver "b", which is not there/],
    [
      { receivers: [{ name: 'a', url: 'https://10.0.0.1/', secrets: [SECRET] }] },
      /receiver a: URL is not allowed.*private/,
    ],
    [{ receivers: [{ name: 'a', url: 'http://example.com/', secrets: [SECRET] }] }, /receiver a: URL is not allowed/],
    [{ receivers: [{ name: 'a', url: 'https://example.com/', secrets: ['whpk_AAAA'] }] }, /receiver a: secret 1/],
    [{ r2_rules: [{ name: 'a', bucket: 'b' }] }, /bucket "b", which is not in buckets/],
    [{ buckets: [{ name: 'b', binding: 'lower', prefixes: [''] }] }, /buckets\.0\.binding/],
  ])('refuses %j', (value, message) => {
    expect(() => read(value)).toThrow(ConfigurationError);
    expect(() => read(value)).toThrow(message);
  });

  it('never repeats a secret in an error', () => {
    const secret = 'whsec_c2hvcnQ=';
    for (const value of [`{"sources": "${secret}`, { sources: [{ name: 'shop', secrets: [secret] }] }]) {
      try {
        read(value);
        expect.unreachable();
      } catch (error) {
        expect(String(error)).not.toContain('c2hvcnQ');
      }
    }
  });

  it.each([
    ['DECISION_RETENTION_DAYS', '0'],
    ['DECISION_RETENTION_DAYS', 'soon'],
    ['WEBHOOK_TIMEOUT_MS', 600_000],
    ['WEBHOOK_RETRY_SCALE', 2],
    ['MODERATION_REQUEUE_MS', '1'],
  ])('refuses %s = %j by name', (variable, value) => {
    expect(() => read({}, { [variable]: value })).toThrow(variable);
  });
});

describe('look-ups', () => {
  const settings = {
    receivers: [
      { name: 'exact', url: 'https://a.example.com/hook', secrets: [RECEIVER_SECRET] },
      { name: 'below', url: RECEIVER_URL, secrets: [RECEIVER_SECRET] },
      { name: 'deeper', url: `${RECEIVER_URL}vip/`, secrets: [RECEIVER_SECRET] },
    ],
    r2_rules: [
      { name: 'all', bucket: 'b', prefix: '', policy: 'default' },
      { name: 'art', bucket: 'b', prefix: 'art/', policy: 'art' },
    ],
  };

  it.each([
    ['https://a.example.com/hook', 'exact'],
    ['https://a.example.com/hook2', undefined],
    ['https://a.example.com/hook/x', undefined],
    [RECEIVER_URL, 'below'],
    [`${RECEIVER_URL}x?y=1`, 'below'],
    [`${RECEIVER_URL}vip/x`, 'deeper'],
    [RECEIVER_URL.slice(0, -1), undefined],
    ['https://shop.example.com.evil.org/hooks/', undefined],
  ])('finds the receiver of %s: %s', (url, name) => {
    expect(findReceiver(settings, url)?.name).toBe(name);
  });

  it.each([
    ['b', 'art/1.png', 'art'],
    ['b', 'other/1.png', 'all'],
    ['c', 'art/1.png', undefined],
  ])('finds the rule of %s/%s: %s', (bucket, key, name) => {
    expect(findR2Rule(settings, bucket, key)?.name).toBe(name);
  });
});

describe('URL variables', () => {
  it('are lists separated by commas', () => {
    const read = readUrlPolicy({
      FETCH_ALLOW_HOSTS: 'a.example.com, *.b.example.com',
      FETCH_PORTS: '443,8443',
      FETCH_PROTOCOLS: 'https,http:',
      FETCH_EXEMPT_ORIGINS: '',
    });
    expect(read.allowHosts).toEqual([
      { host: 'a.example.com', below: false },
      { host: 'b.example.com', below: true },
    ]);
    expect([...read.ports]).toEqual([443, 8443]);
    expect([...read.protocols]).toEqual(['https:', 'http:']);
    expect(readUrlPolicy({})).toEqual(createUrlPolicy());
  });

  it.each([{ FETCH_PORTS: 'https' }, { FETCH_ALLOW_HOSTS: ['a'] }, { FETCH_PROTOCOLS: 'ftp' }])(
    'refuse %j',
    (variables) => {
      expect(() => readUrlPolicy(variables)).toThrow(ConfigurationError);
    },
  );
});
