import { describe, expect, it } from 'vitest';
import { chooseProxies, describeProxy } from '../../src/http/proxy.ts';

const way = (url: string, environment: Record<string, string>, explicit?: string): string =>
  describeProxy(chooseProxies(explicit, environment)(new URL(url)));

describe('the proxy of a request', () => {
  const both = { HTTPS_PROXY: 'http://secure:3128', HTTP_PROXY: 'http://plain:3128' };

  it.each([
    ['https://example.com', both, 'proxy http://secure:3128 (HTTPS_PROXY)'],
    ['wss://example.com', both, 'proxy http://secure:3128 (HTTPS_PROXY)'],
    ['http://example.com', both, 'proxy http://plain:3128 (HTTP_PROXY)'],
    ['https://example.com', { HTTP_PROXY: 'http://plain:3128' }, 'direct'],
    [
      'https://example.com',
      { https_proxy: 'http://lower:1', HTTPS_PROXY: 'http://upper:1' },
      'proxy http://lower:1 (HTTPS_PROXY)',
    ],
    ['https://example.com', { HTTPS_PROXY: 'proxy:3128' }, 'proxy http://proxy:3128 (HTTPS_PROXY)'],
    ['https://example.com', { HTTPS_PROXY: 'http://me:pw@proxy:3128' }, 'proxy http://proxy:3128 (HTTPS_PROXY)'],
    ['https://example.com', { HTTPS_PROXY: '' }, 'direct'],
    ['https://localhost:8443', both, 'direct'],
    ['https://api.localhost', both, 'direct'],
    ['https://127.0.0.1', both, 'direct'],
    ['https://127.1.2.3', both, 'direct'],
    ['https://[::1]:8443', both, 'direct'],
    ['https://127.0.0.1', { HTTPS_PROXY: 'http://localhost:3128' }, 'proxy http://localhost:3128 (HTTPS_PROXY)'],
    ['http://localhost', { HTTP_PROXY: 'http://127.0.0.1:3128' }, 'proxy http://127.0.0.1:3128 (HTTP_PROXY)'],
    ['https://127.0.0.1', { HTTPS_PROXY: 'http://localhost:3128', NO_PROXY: '127.0.0.1' }, 'direct'],
  ])('to %s with %j is %s', (url, environment, expected) => {
    expect(way(url, environment)).toBe(expected);
  });

  it('takes everything when it is set explicitly, loopback too', () => {
    expect(way('https://localhost', { NO_PROXY: '*' }, 'http://explicit:1')).toBe('proxy http://explicit:1 (proxy)');
  });
});

describe('NO_PROXY', () => {
  it.each([
    ['example.com', 'https://example.com', true],
    ['example.com', 'https://api.example.com', true],
    ['.example.com', 'https://api.example.com', true],
    ['.example.com', 'https://example.com', true],
    ['*.example.com', 'https://api.example.com', true],
    ['*.example.com', 'https://example.com', false],
    ['example.com', 'https://badexample.com', false],
    ['EXAMPLE.com', 'https://Example.COM.', true],
    ['example.com:8443', 'https://example.com:8443', true],
    ['example.com:8443', 'https://example.com', false],
    ['example.com:443', 'https://example.com', true],
    ['*', 'https://example.com', true],
    ['a.b, example.com  c.d', 'https://example.com', true],
    ['10.0.0.1', 'https://10.0.0.1', true],
    ['[2001:db8::1]:443', 'https://[2001:db8::1]', true],
    ['2001:db8::1', 'https://[2001:db8::1]', true],
    ['2001:0DB8:0:0:0:0:0:1', 'https://[2001:db8::1]', true],
    ['[2001:0db8:0::1]:8088', 'https://[2001:db8::1]:8088', true],
    ['[2001:0db8:0::1]:8088', 'https://[2001:db8::1]', false],
    ['::ffff:10.0.0.1', 'https://[::ffff:10.0.0.1]', true],
    ['bücher.example', 'https://www.bücher.example', true],
    ['xn--bcher-kva.example', 'https://bücher.example', true],
    ['10.0.0.0/8,.svc', 'https://10.20.30.40', true],
    ['10.0.0.0/8', 'https://11.0.0.1', false],
    ['10.0.0.0/8', 'https://10.example.com', false],
    ['2001:db8::/32', 'https://[2001:db8:1::5]:8088', true],
    ['10.0.0.0/99', 'https://10.0.0.1', false],
    ['', 'https://example.com', false],
  ])('"%s" leaves %s out: %s', (noProxy, url, isLeftOut) => {
    expect(way(url, { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: noProxy })).toBe(
      isLeftOut ? 'direct' : 'proxy http://proxy:1 (HTTPS_PROXY)',
    );
  });
});

it.each([
  ['http://me:p%40ss@proxy:1', 'me:p@ss'],
  ['http://me:100%@proxy:1', 'me:100%'],
  ['http://u%er:%zz@proxy:1', 'u%er:%zz'],
])('reads user and password of %s as curl does', (url, credentials) => {
  const proxy = chooseProxies(url, {})(new URL('https://example.com'));

  expect(proxy?.authorization).toBe(`Basic ${Buffer.from(credentials).toString('base64')}`);
});

describe('an invalid proxy', () => {
  it.each([
    'socks5://me:secret@proxy:1080',
    'http://',
    'ftp://me:secret@x',
    'http://me:se#cret@proxy:3128',
    'http://me:12/secret@proxy:3128',
    'http://me:12?secret@proxy:3128',
  ])('is refused without quoting it: %s', (url) => {
    const choose = (): unknown => chooseProxies(url, {});

    expect(choose).toThrow(
      expect.objectContaining({ code: 'PEN_CONFIG_INVALID', message: 'proxy is not the URL of an HTTP proxy' }) as Error,
    );
  });
});
