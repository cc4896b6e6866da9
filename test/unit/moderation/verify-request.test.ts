import { createHash, createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../worker/bytes.ts';
import { ModerationError } from '../../../worker/errors.ts';
import { signCloudinary, signGithub, verifyGithub } from '../../../worker/moderation/signatures/shared-secret.ts';
import { type SourceSecrets, verifyRequest } from '../../../worker/moderation/signatures/verify-request.ts';

const NOW_MS = 1_700_000_000_000;
const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const OTHER = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const BODY = '{"id":"1"}';
const STANDARD: SourceSecrets = { scheme: 'standard', secrets: [SECRET], retiredSecrets: [] };

function standardHeaders(secret = SECRET, timestampMs = NOW_MS, body = BODY): Record<string, string> {
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(timestampMs / 1000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', new Date(timestampMs), body),
  };
}

async function outcome(headers: Record<string, string>, source: SourceSecrets, body = BODY): Promise<string> {
  try {
    return (await verifyRequest({ headers: new Headers(headers), body: utf8(body), nowMs: NOW_MS }, source)).id;
  } catch (error) {
    if (!(error instanceof ModerationError)) throw error;
    return error.code;
  }
}

describe('standard', () => {
  it('accepts any current secret', async () => {
    expect(await outcome(standardHeaders(), STANDARD)).toBe('msg_1');
    expect(await outcome(standardHeaders(OTHER), { ...STANDARD, secrets: [SECRET, OTHER] })).toBe('msg_1');
  });

  it('tells tampering, age, missing headers and unknown secrets apart', async () => {
    expect(await outcome(standardHeaders(), STANDARD, `${BODY} `)).toBe('signature_invalid');
    expect(await outcome(standardHeaders(OTHER), STANDARD)).toBe('signature_invalid');
    expect(await outcome({ ...standardHeaders(), 'webhook-id': 'msg_2' }, STANDARD)).toBe('signature_invalid');
    expect(await outcome({ ...standardHeaders(), 'webhook-id': 'a.b' }, STANDARD)).toBe('signature_invalid');
    expect(await outcome(standardHeaders(OTHER), { ...STANDARD, retiredSecrets: [OTHER] })).toBe('unknown_secret');
    expect(await outcome({ ...standardHeaders(), 'webhook-signature': 'v1a,AAAA' }, STANDARD)).toBe('unknown_secret');
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
      const { [name]: _, ...rest } = standardHeaders();
      expect(await outcome(rest, STANDARD)).toBe('signature_missing');
    }
    expect(await outcome({ ...standardHeaders(), 'webhook-timestamp': '1e9' }, STANDARD)).toBe(
      'timestamp_out_of_range',
    );
  });

  it('takes the headers of Svix, and those where both are there', async () => {
    const svix = {
      'svix-id': 'msg_svix',
      'svix-timestamp': String(NOW_MS / 1000),
      'svix-signature': new SvixWebhook(SECRET).sign('msg_svix', new Date(NOW_MS), BODY),
    };
    expect(await outcome(svix, STANDARD)).toBe('msg_svix');
    expect(await outcome({ ...standardHeaders(OTHER), ...svix }, STANDARD)).toBe('msg_svix');
    expect(await outcome({ ...standardHeaders(), ...svix, 'svix-signature': 'v1,AAAA' }, STANDARD)).toBe(
      'signature_invalid',
    );
    expect(await outcome(svix, STANDARD, `${BODY} `)).toBe('signature_invalid');
    const { 'svix-timestamp': _, ...undated } = svix;
    expect(await outcome(undated, STANDARD)).toBe('signature_missing');
  });

  it.each([
    [-300_000, 'msg_1'],
    [-301_000, 'timestamp_out_of_range'],
    [300_000, 'msg_1'],
    [301_000, 'timestamp_out_of_range'],
  ])('takes a timestamp %i ms from now: %s', async (offset, expected) => {
    expect(await outcome(standardHeaders(SECRET, NOW_MS + offset), STANDARD)).toBe(expected);
  });

  it('does not tell the age of a message that is not signed', async () => {
    expect(await outcome(standardHeaders(OTHER, NOW_MS - 3_600_000), STANDARD)).toBe('signature_invalid');
  });
});

describe('GitHub', () => {
  // Published at docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
  const secret = "It's a Secret to Everybody";
  const published = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';

  it('passes the published test vector', async () => {
    expect(await verifyGithub(utf8('Hello, World!'), published, secret)).toBe(true);
    expect(await signGithub(utf8('Hello, World!'), secret)).toBe(published);
    expect(await verifyGithub(utf8('Hello, World?'), published, secret)).toBe(false);
  });

  it('accepts a delivery and refuses what is wrong with it', async () => {
    const source: SourceSecrets = { scheme: 'github', secrets: ['new', secret], retiredSecrets: ['old'] };
    const signed = (key: string) => `sha256=${createHmac('sha256', key).update(BODY).digest('hex')}`;
    const headers = { 'x-github-delivery': '72d3162e-cc78-11e3', 'x-hub-signature-256': signed(secret) };
    expect(await outcome(headers, source)).toBe('72d3162e-cc78-11e3');
    expect(await outcome(headers, source, '{}')).toBe('signature_invalid');
    expect(await outcome({ ...headers, 'x-hub-signature-256': signed('old') }, source)).toBe('unknown_secret');
    for (const wrong of ['sha1=00', 'sha256=', 'sha256=zz', signed(secret).slice(0, -2), signed(secret).slice(7)]) {
      expect(await outcome({ ...headers, 'x-hub-signature-256': wrong }, source)).toBe('signature_invalid');
    }
    expect(await outcome({ 'x-github-delivery': '1' }, source)).toBe('signature_missing');
    expect(await outcome({ 'x-hub-signature-256': signed(secret) }, source)).toBe('signature_missing');
  });
});

describe('Cloudinary', () => {
  const timestamp = NOW_MS / 1000;
  it.each([
    ['cloudinary-sha1', 'sha1'],
    ['cloudinary-sha256', 'sha256'],
  ] as const)('accepts %s over body, timestamp and secret', async (scheme, algorithm) => {
    const source: SourceSecrets = { scheme, secrets: ['api-secret'], retiredSecrets: ['old-secret'] };
    const signed = (at: number, secret = 'api-secret') =>
      createHash(algorithm).update(`${BODY}${at}${secret}`).digest('hex');
    const headers = { 'x-cld-timestamp': `${timestamp}`, 'x-cld-signature': signed(timestamp) };
    expect(await outcome(headers, source)).toBe(headers['x-cld-signature']);
    expect(await outcome(headers, source, '{"id":"2"}')).toBe('signature_invalid');
    expect(await outcome({ ...headers, 'x-cld-signature': signed(timestamp, 'old-secret') }, source)).toBe(
      'unknown_secret',
    );
    const old = { 'x-cld-timestamp': `${timestamp - 301}`, 'x-cld-signature': signed(timestamp - 301) };
    expect(await outcome(old, source)).toBe('timestamp_out_of_range');
    expect(await outcome({ 'x-cld-timestamp': `${timestamp}` }, source)).toBe('signature_missing');
  });

  it('does not let a sender choose the weaker digest', async () => {
    const source: SourceSecrets = { scheme: 'cloudinary-sha256', secrets: ['api-secret'], retiredSecrets: [] };
    const weak = await signCloudinary(utf8(BODY), timestamp, 'api-secret', 'SHA-1');
    expect(await outcome({ 'x-cld-timestamp': `${timestamp}`, 'x-cld-signature': weak }, source)).toBe(
      'signature_invalid',
    );
  });
});
