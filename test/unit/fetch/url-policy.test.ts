import { describe, expect, it } from 'vitest';
import { ConfigurationError, FetchError } from '../../../worker/errors.ts';
import { parseIpv4, parseIpv6, specialRange } from '../../../worker/fetch/ip-address.ts';
import {
  createUrlPolicy,
  judgeRedirect,
  judgeResolvedAddress,
  judgeUrl,
  type UrlPolicyOptions,
} from '../../../worker/fetch/url-policy.ts';
import { GOOD_URLS, HOSTILE_URLS } from '../../support/urls.ts';

function verdict(url: string, options: UrlPolicyOptions = {}): string {
  try {
    return judgeUrl(url, createUrlPolicy(options)).href;
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    return `${error.code}: ${error.details.reason}`;
  }
}

describe('default policy', () => {
  it.each(HOSTILE_URLS)('refuses %j: %s', (url, reason) => {
    expect(verdict(url)).toBe(`url_not_allowed: ${reason}`);
  });

  it.each(GOOD_URLS)('allows %j', (url, href) => {
    expect(verdict(url)).toBe(href);
  });

  it('is tested with at least 80 hostile URLs, none of them twice', () => {
    expect(new Set(HOSTILE_URLS.map(([url]) => url)).size).toBe(HOSTILE_URLS.length);
    expect(HOSTILE_URLS.length).toBeGreaterThanOrEqual(80);
  });

  it('never repeats the query of a refused URL in the message', () => {
    try {
      judgeUrl('https://10.0.0.1/a?X-Amz-Signature=c0ffee', createUrlPolicy());
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain('c0ffee');
    }
  });
});

describe('lists, ports and schemes', () => {
  it.each([
    [['cdn.example.com'], 'https://cdn.example.com/', true],
    [['cdn.example.com'], 'https://a.cdn.example.com/', false],
    [['cdn.example.com'], 'https://evilcdn.example.com/', false],
    [['cdn.example.com'], 'https://cdn.example.com.evil.org/', false],
    [['*.example.com'], 'https://a.example.com/', true],
    [['*.example.com'], 'https://a.b.example.com/', true],
    [['*.example.com'], 'https://example.com/', false],
    [['*.example.com'], 'https://badexample.com/', false],
    [['CDN.Example.com'], 'https://cdn.example.com/', true],
    [['10.0.0.1'], 'https://10.0.0.1/', false],
    [['localhost'], 'https://localhost/', false],
  ])('allow list %j, %s: %s', (allowHosts, url, allowed) => {
    if (allowed) expect(verdict(url, { allowHosts })).toBe(url);
    else expect(verdict(url, { allowHosts })).toMatch(/^url_not_allowed: (host_not_in_list|private|private_name)$/);
  });

  it('lets the deny list win over the allow list', () => {
    const lists = { allowHosts: ['*.example.com'], denyHosts: ['bad.example.com', '*.worse.example.com'] };
    expect(verdict('https://good.example.com/', lists)).toBe('https://good.example.com/');
    expect(verdict('https://bad.example.com/', lists)).toBe('url_not_allowed: denied_host');
    expect(verdict('https://a.worse.example.com/', lists)).toBe('url_not_allowed: denied_host');
  });

  it('allows http and other ports only where the policy says so', () => {
    expect(verdict('http://example.com/', { protocols: ['https:', 'http:'] })).toBe('http://example.com/');
    expect(verdict('https://example.com:8443/', { ports: [443, 8443] })).toBe('https://example.com:8443/');
    expect(verdict('http://example.com:8080/', { protocols: ['http:'] })).toBe('url_not_allowed: port');
  });

  it('exempts exactly one origin', () => {
    const options = { exemptOrigins: ['http://127.0.0.1:9000'] };
    expect(verdict('http://127.0.0.1:9000/a', options)).toBe('http://127.0.0.1:9000/a');
    expect(verdict('http://127.0.0.1:9001/a', options)).toBe('url_not_allowed: scheme');
    expect(verdict('https://127.0.0.1:9000/a', options)).toBe('url_not_allowed: port');
    expect(verdict('http://user@127.0.0.1:9000/a', options)).toBe('url_not_allowed: credentials');
    expect(verdict('http://2130706433:9000/a', options)).toBe('url_not_allowed: noncanonical_host');
  });

  it.each([
    [{ allowHosts: ['https://example.com'] }],
    [{ allowHosts: ['*'] }],
    [{ allowHosts: ['*.'] }],
    [{ allowHosts: ['a.*.com'] }],
    [{ allowHosts: ['*.10.0.0.1'] }],
    [{ allowHosts: ['example.com/'] }],
    [{ denyHosts: ['example.com.'] }],
    [{ denyHosts: ['bücher.example'] }],
    [{ denyHosts: [''] }],
    [{ ports: [0] }],
    [{ ports: [65536] }],
    [{ ports: [1.5] }],
    [{ protocols: ['ftp:'] }],
    [{ exemptOrigins: ['http://127.0.0.1:9000/'] }],
    [{ exemptOrigins: ['127.0.0.1:9000'] }],
  ])('refuses the configuration %j', (options) => {
    expect(() => createUrlPolicy(options)).toThrow(ConfigurationError);
  });
});

describe('redirects', () => {
  const base = new URL('https://images.example.com/dir/a.png?q=1');
  it.each([
    ['b.png', 'https://images.example.com/dir/b.png'],
    ['/b.png', 'https://images.example.com/b.png'],
    ['?q=2', 'https://images.example.com/dir/a.png?q=2'],
    ['//other.example.com/b.png', 'https://other.example.com/b.png'],
    ['https://other.example.com/b.png', 'https://other.example.com/b.png'],
    ['http://images.example.com/', null],
    ['//127.0.0.1/', null],
    ['//user@other.example.com/', null],
    ['/\\127.0.0.1/', null],
    ['\\\\127.0.0.1/', null],
    ['https://2130706433/', null],
    ['https:other', null],
    ['file:///etc/passwd', null],
    ['/a\tb', null],
  ])('judges Location %j', (location, href) => {
    const judged = () => judgeRedirect(location, base, createUrlPolicy()).href;
    if (href === null) expect(judged).toThrow(FetchError);
    else expect(judged()).toBe(href);
  });
});

describe('addresses', () => {
  it.each(['127.0.0.1', '10.1.2.3', '::1', '::ffff:10.0.0.1', 'fd00::1', 'not an address'])(
    'refuses a name that resolves to %s',
    (address) => {
      expect(() => judgeResolvedAddress(address, 'images.example.com')).toThrow(FetchError);
    },
  );

  it('allows a name that resolves to a public address', () => {
    expect(() => judgeResolvedAddress('93.184.216.34', 'images.example.com')).not.toThrow();
    expect(() => judgeResolvedAddress('2606:4700::1111', 'images.example.com')).not.toThrow();
  });

  it.each(['1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '0x1.2.3.4', '1.2.3.', ''])(
    'parses no IPv4 from %j',
    (text) => {
      expect(parseIpv4(text)).toBeNull();
    },
  );

  it.each([
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '::1%lo',
    '1.2.3.4',
    '::1.2.3',
  ])('parses no IPv6 from %j', (text) => {
    expect(parseIpv6(text)).toBeNull();
  });

  it('parses the forms of RFC 4291 to the same 16 bytes', () => {
    const expected = new Uint8Array([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 33]);
    for (const text of ['2001:db8::192.0.2.33', '2001:DB8::c000:221', '2001:0db8:0:0:0:0:c000:0221']) {
      expect(parseIpv6(text)).toEqual(expected);
    }
  });

  it('names the first and last address of a block, and neither neighbour', () => {
    const range = (text: string) => specialRange(parseIpv4(text) ?? parseIpv6(text)!);
    expect(['172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0'].map(range)).toEqual([
      null,
      'private',
      'private',
      null,
    ]);
    expect(['2001:1ff:ffff::', '2001:200::'].map(range)).toEqual(['reserved', null]);
    expect(['3ffe:ffff::', '3fff:fff::', '3fff:1000::'].map(range)).toEqual([null, 'documentation', null]);
  });
});
