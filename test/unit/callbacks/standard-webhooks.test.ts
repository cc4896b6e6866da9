/** Our Standard Webhooks against the reference package, and against Node's own ed25519. */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../worker/bytes.ts';
import {
  isMessageId,
  parseSigningKey,
  parseVerificationKey,
  signMessage,
  verifyMessage,
} from '../../../worker/callbacks/standard-webhooks.ts';

const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const BODY = '{"type":"moderation.completed","note":"größer 🐈"}';

describe('HMAC', () => {
  it('is verified by the reference package', async () => {
    const timestampSeconds = Math.floor(Date.now() / 1000);
    const signature = await signMessage({ id: 'msg_1', timestampSeconds }, utf8(BODY), [parseSigningKey(SECRET)]);
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': `${timestampSeconds}`,
      'webhook-signature': signature,
    };
    expect(new Webhook(SECRET).verify(BODY, headers)).toEqual(JSON.parse(BODY));
    expect(() => new Webhook(SECRET).verify(`${BODY} `, headers)).toThrow();
  });

  it('accepts what the reference package signs, and nothing changed since', async () => {
    const timestampSeconds = 1_700_000_000;
    const signature = new Webhook(SECRET).sign('msg_1', new Date(timestampSeconds * 1000), BODY);
    const keys = [parseVerificationKey(SECRET)];
    const head = { id: 'msg_1', timestampSeconds };
    expect(await verifyMessage(head, utf8(BODY), signature, keys)).toBe(true);
    expect(await verifyMessage(head, utf8(`${BODY}\n`), signature, keys)).toBe(false);
    expect(await verifyMessage({ ...head, id: 'msg_2' }, utf8(BODY), signature, keys)).toBe(false);
    expect(await verifyMessage({ ...head, timestampSeconds: timestampSeconds + 1 }, utf8(BODY), signature, keys)).toBe(
      false,
    );
  });

  it('gives the signature that the specification prints', async () => {
    // The example of the reference implementations' test suites.
    const head = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1_614_265_330 };
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    expect(await signMessage(head, utf8('{"test": 2432232314}'), [parseSigningKey(secret)])).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    );
  });

  it('signs and verifies with several secrets while one replaces another', async () => {
    const old = `whsec_${randomBytes(24).toString('base64')}`;
    const fresh = `whsec_${randomBytes(64).toString('base64')}`;
    const head = { id: 'msg_1', timestampSeconds: 1 };
    const both = await signMessage(head, utf8(BODY), [parseSigningKey(old), parseSigningKey(fresh)]);
    expect(both.split(' ')).toHaveLength(2);
    for (const secret of [old, fresh]) {
      expect(await verifyMessage(head, utf8(BODY), both, [parseVerificationKey(secret)])).toBe(true);
      const one = await signMessage(head, utf8(BODY), [parseSigningKey(secret)]);
      expect(await verifyMessage(head, utf8(BODY), one, [old, fresh].map(parseVerificationKey))).toBe(true);
    }
    expect(await verifyMessage(head, utf8(BODY), both, [parseVerificationKey(SECRET)])).toBe(false);
  });
});

describe('ed25519', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const head = { id: 'msg_1', timestampSeconds: 1_700_000_000 };
  const content = Buffer.from(`msg_1.1700000000.${BODY}`);

  it.each([
    ['the seed', seed],
    ['seed and public key', Buffer.concat([seed, raw])],
  ])('signs with %s so that Node verifies it', async (_, bytes) => {
    const header = await signMessage(head, utf8(BODY), [parseSigningKey(`whsk_${bytes.toString('base64')}`)]);
    const [version, signature] = header.split(',');
    expect(version).toBe('v1a');
    expect(verify(null, content, publicKey, Buffer.from(signature!, 'base64'))).toBe(true);
  });

  it('accepts what Node signs, beside signatures of other versions', async () => {
    const der = privateKey.export({ format: 'der', type: 'pkcs8' });
    const signature = sign(null, content, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).toString(
      'base64',
    );
    const keys = [parseVerificationKey(SECRET), parseVerificationKey(`whpk_${raw.toString('base64')}`)];
    expect(await verifyMessage(head, utf8(BODY), `v2,abcd v1,AAAA v1a,${signature}`, keys)).toBe(true);
    expect(await verifyMessage(head, utf8(BODY), `v1,${signature}`, keys)).toBe(false);
    expect(await verifyMessage(head, utf8(`${BODY} `), `v1a,${signature}`, keys)).toBe(false);
  });
});

describe('secrets of senders', () => {
  const head = { id: 'msg_1', timestampSeconds: 1_700_000_000 };
  const at = new Date(head.timestampSeconds * 1000);
  const references = { standardwebhooks: Webhook, svix: SvixWebhook };
  const secrets = [1, 16, 18, 24, 32, 64, 65, 75, 100].flatMap((size) => {
    const bare = Buffer.from(Array.from({ length: size }, (_, i) => (i * 37 + size) % 256)).toString('base64');
    return [bare, `whsec_${bare}`];
  });

  it.each(Object.entries(references))(
    'of every length, with whsec_ and without it, are those of %s',
    async (_, Reference) => {
      for (const secret of secrets) {
        const signature = new Reference(secret).sign(head.id, at, BODY);
        expect(await verifyMessage(head, utf8(BODY), signature, [parseVerificationKey(secret)]), secret).toBe(true);
        expect(await verifyMessage(head, utf8(`${BODY} `), signature, [parseVerificationKey(secret)])).toBe(false);
      }
    },
  );

  it.each(Object.entries(references))('that %s refuses are refused', (_, Reference) => {
    for (const secret of ['', 'whsec_', 'whsec_not base64!', 'pass phrase', 'whsec_a-b_cdef']) {
      expect(() => new Reference(secret), secret).toThrow();
      expect(() => parseVerificationKey(secret), secret).toThrow(/whsec_/);
    }
  });

  it('signs with a bare secret so that both libraries verify it', async () => {
    const secret = SECRET.slice('whsec_'.length);
    const timestampSeconds = Math.floor(Date.now() / 1000);
    const signature = await signMessage({ id: 'msg_1', timestampSeconds }, utf8(BODY), [parseSigningKey(secret)]);
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': `${timestampSeconds}`,
      'webhook-signature': signature,
    };
    for (const Reference of Object.values(references)) {
      expect(() => new Reference(SECRET).verify(BODY, headers)).not.toThrow();
      expect(() => new Reference(SECRET).verify(`${BODY} `, headers)).toThrow();
    }
  });
});

describe('keys and headers', () => {
  it.each([
    '',
    'whsec_',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==',
    'a passphrase that is not base64',
    'whsec_not base64!',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    `whpk_${Buffer.alloc(31).toString('base64')}`,
    `whsk_${Buffer.alloc(33).toString('base64')}`,
    'whpk_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
  ])('refuses the key %j without repeating it', (key) => {
    const parse = key.startsWith('whpk_') ? parseVerificationKey : parseSigningKey;
    expect(() => parse(key)).toThrow(/whsec_|whpk_|whsk_/);
    try {
      parse(key);
    } catch (error) {
      if (key.length > 8) expect(String(error)).not.toContain(key.slice(6));
    }
  });

  it.each([24, 64])('takes a secret of %i bytes', (size) => {
    expect(parseSigningKey(`whsec_${Buffer.alloc(size).toString('base64')}`)).toMatchObject({ version: 'v1' });
  });

  it.each(['', 'v1', 'v1,', ',', 'v1,!!!!', 'v1,AAAA', 'garbage', 'v1 AAAA', 'v1,'.repeat(500)])(
    'finds no valid signature in %j',
    async (header) => {
      const head = { id: 'msg_1', timestampSeconds: 1 };
      expect(await verifyMessage(head, utf8(BODY), header, [parseVerificationKey(SECRET)])).toBe(false);
    },
  );

  it('refuses ids that could be shifted against the timestamp', async () => {
    expect(isMessageId('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W')).toBe(true);
    for (const id of ['a.1', '', 'a b', 'ä', 'x'.repeat(257), 'a\n']) expect(isMessageId(id)).toBe(false);
    await expect(signMessage({ id: 'a.1', timestampSeconds: 1 }, utf8(''), [parseSigningKey(SECRET)])).rejects.toThrow(
      RangeError,
    );
  });
});
